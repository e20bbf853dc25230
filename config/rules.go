package config

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// The functions here are rules for one value: each returns the rule that s breaks, or "".

func oneOf(values ...string) func(string) string {
	return func(s string) string {
		if slices.Contains(values, s) {
			return ""
		}
		rule := "is not one of " + strings.Join(values, ", ")
		if hint := suggest(s, values); hint != "" {
			rule += "; did you mean " + hint + "?"
		}
		return rule
	}
}

func filePath(s string) string {
	if strings.ContainsRune(s, 0) {
		return "is no path: it holds a NUL"
	}
	return ""
}

func dialPrefix(s string) string {
	if len(s) < 1 || len(s) > 8 || strings.Trim(s, "0123456789") != "" {
		return `is not 1 to 8 digits, such as "00" or "011"`
	}
	return ""
}

// failureCode lets codes from 300 up: after a 2xx nothing can follow, and a 1xx decides nothing.
func failureCode(s string) string {
	const rule = "is neither a status code from 300 to 699 nor a class from 3xx to 6xx"
	if len(s) != 3 || s[0] < '3' || s[0] > '6' {
		return rule
	}
	if strings.EqualFold(s[1:], "xx") {
		return ""
	}
	if _, err := strconv.ParseUint(s, 10, 16); err != nil {
		return rule
	}
	return ""
}

func adminAddress(s string) string {
	if s == "" {
		return ""
	}
	if _, err := netip.ParseAddrPort(s); err != nil {
		return `is not ADDRESS:PORT such as 127.0.0.1:8080, nor "" for none`
	}
	return ""
}

func entryName(s string) string {
	if s == "" || len(s) > 64 {
		return "is not 1 to 64 bytes long"
	}
	for _, r := range s {
		if r <= ' ' || r == 0x7F {
			return "holds a space or a control character"
		}
	}
	return ""
}

func sha256Hex(s string) string {
	if raw, err := hex.DecodeString(s); err != nil || len(raw) != 32 {
		return "is not 64 hexadecimal digits; `dialrouter token NAME` prints the line"
	}
	return ""
}

// argon2id checks the PHC form and that its cost is neither none nor more than a login may take.
func argon2id(s string) string {
	const rule = "is not an argon2id hash: $argon2id$v=19$m=65536,t=3,p=4$SALT$HASH"
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v=19" {
		return rule
	}
	cost := strings.Split(parts[3], ",")
	if len(cost) != 3 {
		return rule
	}
	for i, bound := range []struct {
		key       string
		low, high uint64
	}{{"m=", 8, 1 << 21}, {"t=", 1, 100}, {"p=", 1, 255}} {
		digits, ok := strings.CutPrefix(cost[i], bound.key)
		n, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil {
			return rule
		}
		if n < bound.low || n > bound.high {
			return "has a cost " + bound.key + " that is out of range"
		}
	}
	salt, errSalt := base64.RawStdEncoding.DecodeString(parts[4])
	hash, errHash := base64.RawStdEncoding.DecodeString(parts[5])
	if errSalt != nil || errHash != nil {
		return rule
	}
	if len(salt) < 8 || len(hash) < 16 {
		return "has a salt under 8 bytes or a hash under 16"
	}
	return ""
}

func postgresURL(s string) string {
	if s == "" {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return "is not a URL such as postgres://user@host/database"
	}
	return ""
}

// apiURL lets plain http to this machine only: the carrier's key would pass in the clear.
func apiURL(s string) string {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return "is not a URL such as https://api.telnyx.com/v2"
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "holds a user, a query or a fragment, which the API has no use for"
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return "is http, which would show the API key to everyone on the way; write https"
	}
	return ""
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// reason returns what went wrong with a file without repeating its path.
func reason(err error) string {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return failed.Err.Error()
	}
	return err.Error()
}
