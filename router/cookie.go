package router

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dchest/siphash"

	"github.com/voipbin/dialrouter/sdp"
)

// The route cookie is what a later request of a dialog needs to be carried without any state here. It stands as the
// parameter "dr" in our Record-Route URI, in base64url, and so comes back in the Route of every request of the dialog:
//
//	0       1           5              13         13+n      21+n
//	| flags | caller tag | provider tag | codec list | MAC     |
//	  1       4            8              n            8
//
// flags: the format's version in the upper half. In version 2, for providers that we have credentials for, the lower
// half is the numbering's shift, and its first number (4 bytes) stands before the codec list. Caller tag: a hash of the caller's From tag, which tells in which
// direction a request goes. Provider tag: the first half of the provider's id. Codec list: the policy that the first
// offer went through, one byte for each well-known codec, else a length above 128 and the name. MAC: SipHash-2-4 over
// all before it and the Call-ID, with the key that the nodes share; so a cookie is good for its own call only.
const (
	cookieVersion  = 1 << 4
	cookieNumbered = 2 << 4
	cookieFixed    = 1 + 4 + 8
	cookieFirst    = 4
	cookieMAC      = 8
	cookieMax      = cookieFixed + cookieFirst + maxCodecBytes + cookieMAC // Bytes before base64.
	cookieParam    = "dr"
)

// routeKey is the key of the cookie's MAC.
type routeKey struct{ k0, k1, t0, t1 uint64 }

// newRouteKey takes the 32 bytes of a key file.
func newRouteKey(b []byte) (routeKey, error) {
	if len(b) != 32 {
		return routeKey{}, fmt.Errorf("route key has %d bytes, not 32", len(b))
	}
	u := binary.LittleEndian.Uint64
	return routeKey{u(b), u(b[8:]), u(b[16:]), u(b[24:])}, nil
}

// loadRouteKey reads the key file, and makes it when it is missing. The error names the file.
func loadRouteKey(path string) (routeKey, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if b, err = makeRouteKey(path); err != nil {
			return routeKey{}, fmt.Errorf("making route key: %w", err)
		}
	}
	if err != nil {
		return routeKey{}, fmt.Errorf("reading route key: %w", err)
	}
	k, err := newRouteKey(b)
	if err != nil {
		return k, fmt.Errorf("%s: %w", path, err)
	}
	return k, nil
}

// makeRouteKey writes a new key aside and links it into place, so that of two nodes that start together on one file
// the second reads the key of the first.
func makeRouteKey(path string) ([]byte, error) {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // Never fails (crypto/rand).
	f, err := os.CreateTemp(filepath.Dir(path), ".route-key-*")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Link(f.Name(), path)
	}
	if errors.Is(err, fs.ErrExist) {
		return os.ReadFile(path)
	}
	return b, err
}

// cookie is a route cookie taken apart.
type cookie struct {
	callerTag   uint32
	providerTag uint64
	codecs      []byte // As written by encodeCodecs.
	numbered    bool   // The caller's CSeq numbers are not the provider's.
	numbering   numbering
}

// tagHash is the hash of a From tag that tells the caller's direction.
func (k *routeKey) tagHash(tag []byte) uint32 { return uint32(siphash.Hash(k.t0, k.t1, tag)) }

// seal appends the cookie's text for a call.
func (k *routeKey) seal(dst []byte, c *cookie, callID []byte) []byte {
	var raw [cookieMax]byte
	flags := byte(cookieVersion)
	if c.numbered {
		flags = cookieNumbered | c.numbering.shift
	}
	b := append(raw[:0], flags)
	b = binary.BigEndian.AppendUint32(b, c.callerTag)
	b = binary.BigEndian.AppendUint64(b, c.providerTag)
	if c.numbered {
		b = binary.BigEndian.AppendUint32(b, c.numbering.first)
	}
	b = append(b, c.codecs...)
	b = binary.BigEndian.AppendUint64(b, k.mac(b, callID))
	return base64.RawURLEncoding.AppendEncode(dst, b)
}

// open reads a cookie's text; ok is false for one that we did not write for this call. The codec list lies in buf.
func (k *routeKey) open(text, callID []byte, buf *[cookieMax]byte) (c cookie, ok bool) {
	if base64.RawURLEncoding.DecodedLen(len(text)) > len(buf) {
		return c, false
	}
	n, err := base64.RawURLEncoding.Decode(buf[:], text)
	if err != nil || n < cookieFixed+cookieMAC {
		return c, false
	}
	fixed := cookieFixed
	switch {
	case buf[0] == cookieVersion:
	case buf[0]&^maxShift == cookieNumbered && n >= cookieFixed+cookieFirst+cookieMAC:
		c.numbered, fixed = true, cookieFixed+cookieFirst
		c.numbering = numbering{first: binary.BigEndian.Uint32(buf[cookieFixed:]), shift: buf[0] & maxShift}
	default:
		return c, false
	}
	b, mac := buf[:n-cookieMAC], binary.BigEndian.Uint64(buf[n-cookieMAC:n])
	if mac != k.mac(b, callID) {
		return cookie{}, false
	}
	c.callerTag = binary.BigEndian.Uint32(b[1:])
	c.providerTag = binary.BigEndian.Uint64(b[5:])
	c.codecs = b[fixed:]
	return c, true
}

// mac hashes in two steps, so that the bytes of the one cannot pass for bytes of the other.
func (k *routeKey) mac(b, callID []byte) uint64 {
	return siphash.Hash(k.k0^siphash.Hash(k.t1, k.t0, callID), k.k1, b)
}

// wellKnownCodecs are written as one byte, their index. Only append: cookies of running calls hold the indexes.
var wellKnownCodecs = [...]string{ //nolint:gochecknoglobals // A lookup table.
	"PCMU", "PCMA", "G722", "G729", "OPUS", "GSM", "ILBC", "G723", "SPEEX", "G726-32", "AMR", "AMR-WB", "L16", "SILK",
	"SIREN7", "SIREN14", "OPUS/48000/2", "ULAW", "ALAW",
}

// maxCodecBytes bounds the list within a cookie.
const maxCodecBytes = 171

// encodeCodecs writes a policy's list for the cookie. A list that is too long is not carried: the offers of later
// requests are then filtered by the list that the provider has at that time.
func encodeCodecs(p *sdp.Policy) []byte {
	list := p.String()
	if list == "" {
		return nil
	}
	var b []byte
	for name := range splitComma(list) {
		if i := wellKnown(name); i >= 0 {
			b = append(b, byte(i))
			continue
		}
		if len(name) > 127 {
			return nil
		}
		b = append(b, 0x80|byte(len(name)))
		b = append(b, name...)
	}
	if len(b) > maxCodecBytes {
		return nil
	}
	return b
}

// decodeCodecs appends the list's text, comma-separated.
func decodeCodecs(dst, b []byte) []byte {
	for i := 0; i < len(b); {
		if len(dst) > 0 {
			dst = append(dst, ',')
		}
		c := b[i]
		i++
		if c < 0x80 {
			if int(c) < len(wellKnownCodecs) {
				dst = append(dst, wellKnownCodecs[c]...)
			}
			continue
		}
		n := min(int(c&0x7f), len(b)-i)
		dst = append(dst, b[i:i+n]...)
		i += n
	}
	return dst
}
