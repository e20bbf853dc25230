package dialplan

import "math/bits"

const (
	keyDigits = 16         // Digits that a key holds; E.164 numbers have at most 15.
	lastDigit = 0xF        // The nibble of a key's last digit.
	noKey     = ^uint64(0) // Sorts behind every key.
)

// keyOf packs the first keyDigits of digits into an integer that sorts as the digits do, a prefix before what it
// begins: a nibble per digit from the top, digit plus one, zero behind the end.
func keyOf[T ~string | ~[]byte](digits T) uint64 {
	var key uint64
	shift := 64
	for i := range min(len(digits), keyDigits) {
		shift -= 4
		key |= uint64(digits[i]-'0'+1) << shift
	}
	return key
}

// isPrefix says whether the digits of x begin with those of key, which is not empty.
func isPrefix(key, x uint64) bool {
	behind := bits.TrailingZeros64(key) &^ 3 // The bits of the nibbles behind key's end.
	return (key^x)>>behind == 0
}

// allDigits says whether s holds nothing but decimal digits.
func allDigits[T ~string | ~[]byte](s T) bool {
	for i := range len(s) {
		if s[i]-'0' > 9 {
			return false
		}
	}
	return true
}
