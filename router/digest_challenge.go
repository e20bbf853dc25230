package router

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"

	"github.com/icholy/digest"

	"github.com/voipbin/dialrouter/router/message"
)

// What one response may ask of us: longer challenges and more of them are not for us.
const (
	longestChallenge = 2048
	mostChallenges   = 8
)

// challenges reads those of the response in w.msg that credentials can answer: for each realm the strongest (RFC 8760
// section 2.4 leaves the choice to the policy of the client), the topmost among equals.
func (w *worker) challenges(c *account, from netip.AddrPort) []*nonce {
	m := &w.msg
	var found []*nonce
	for i := range m.Headers {
		h := &m.Headers[i]
		if h.Kind != message.ProxyAuthenticate && h.Kind != message.WWWAuthenticate {
			continue
		}
		ch, ok := readChallenge(m.Bytes(h.Value))
		if !ok || c.Realm != "" && ch.Realm != c.Realm {
			continue
		}
		n := &nonce{Challenge: ch, proxy: h.Kind == message.ProxyAuthenticate, from: from, since: w.now}
		switch at := slices.IndexFunc(found, n.asks); {
		case at < 0 && len(found) < mostChallenges:
			found = append(found, n)
		case at >= 0 && strength(ch.Algorithm) > strength(found[at].Algorithm):
			found[at] = n
		}
	}
	return found
}

// readChallenge reads the value of a WWW-Authenticate or Proxy-Authenticate header. ok is false for one that we cannot
// answer: another scheme, algorithm or quality of protection than those of RFC 7616 without sessions.
func readChallenge(value []byte) (c digest.Challenge, ok bool) {
	if len(value) > longestChallenge {
		return c, false
	}
	p, err := digest.ParseChallenge(oneLine(value))
	if err != nil || p.Nonce == "" {
		return c, false
	}
	for i, q := range p.QOP {
		p.QOP[i] = strings.ToLower(strings.TrimSpace(q))
	}
	return *p, strength(p.Algorithm) > 0 && digest.CanDigest(p)
}

// oneLine makes one line of a value, with spaces for all white space and the names of parameters in lower case.
func oneLine(value []byte) string {
	b := bytes.Clone(value)
	name := 0 // Where the word began that a "=" would make a name.
	quoted := false
	for i, c := range b {
		switch {
		case c == '\r', c == '\n', c == '\t':
			b[i] = ' '
		case c == '"':
			if !quoted || !escaped(b[:i]) {
				quoted = !quoted
			}
		case quoted:
		case c == ',':
			name = i + 1
		case c == '=':
			copy(b[name:i], bytes.ToLower(b[name:i]))
		}
		if !quoted && b[i] == ' ' && i+1 < len(b) && message.IsToken(b[i+1]) {
			name = i + 1
		}
	}
	return string(b)
}

// escaped says whether what follows b within quotation marks is escaped.
func escaped(b []byte) bool {
	n := 0
	for n < len(b) && b[len(b)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// strength orders the algorithms; zero is one that is not ours.
func strength(algorithm string) int {
	switch strings.ToUpper(algorithm) {
	case "SHA-512-256":
		return 3
	case "SHA-256":
		return 2
	case "", "MD5":
		return 1
	default:
		return 0
	}
}
