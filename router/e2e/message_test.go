package e2e

import (
	"crypto/tls"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// field is one header line of a received message, folded or not.
type field struct {
	name  string // As written.
	value string // Unfolded and trimmed.
	raw   string // As on the wire, without the last CRLF.
}

// msg is a received message: the bytes, what was read from them, and how they came.
type msg struct {
	raw    string
	start  string
	fields []field
	body   string

	at    time.Time
	from  netip.AddrPort
	conn  net.Conn // Nil for UDP.
	taken bool     // An expect has returned it.
}

// compact maps the one-letter header names to the long ones (RFC 3261 section 20 and later extensions).
var compact = map[string]string{
	"a": "accept-contact", "b": "referred-by", "c": "content-type", "d": "request-disposition",
	"e": "content-encoding", "f": "from", "i": "call-id", "j": "reject-contact", "k": "supported",
	"l": "content-length", "m": "contact", "o": "event", "r": "refer-to", "s": "subject", "t": "to",
	"u": "allow-events", "v": "via", "x": "session-expires", "y": "identity",
}

// canonical is a header's name in lower case and at full length.
func canonical(name string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	if long, ok := compact[name]; ok {
		return long
	}
	return name
}

// parse reads a message without judging it: what cannot be read stays empty.
func parse(raw string) *msg {
	m := &msg{raw: raw}
	head, body, _ := strings.Cut(raw, "\r\n\r\n")
	m.body = body
	var lines []string
	from, end := 0, 0 // Of the last line, folds included.
	for line := range strings.SplitSeq(head, "\r\n") {
		if folded := line != "" && (line[0] == ' ' || line[0] == '\t'); folded && len(lines) > 1 {
			end += len("\r\n") + len(line)
			lines[len(lines)-1] = head[from:end]
			continue
		}
		if len(lines) > 0 {
			from = end + len("\r\n")
		}
		end = from + len(line)
		lines = append(lines, line)
	}
	m.start = lines[0]
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		m.fields = append(m.fields, field{strings.TrimSpace(name), unfold(value), line})
	}
	return m
}

// unfold makes one line of a folded value.
func unfold(value string) string {
	parts := strings.Split(value, "\r\n")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return strings.TrimSpace(strings.Join(parts, " "))
}

// transport is how the message came.
func (m *msg) transport() string {
	switch m.conn.(type) {
	case nil:
		return "udp"
	case *tls.Conn:
		return "tls"
	default:
		return "tcp"
	}
}

// method is the request's method, empty for a reply.
func (m *msg) method() string {
	if strings.HasPrefix(m.start, "SIP/") {
		return ""
	}
	method, _, _ := strings.Cut(m.start, " ")
	return method
}

// uri is the Request-URI.
func (m *msg) uri() string {
	if m.method() == "" {
		return ""
	}
	_, rest, _ := strings.Cut(m.start, " ")
	return strings.TrimSuffix(rest, " SIP/2.0")
}

// code is a reply's status, 0 for a request.
func (m *msg) code() int {
	rest, ok := strings.CutPrefix(m.start, "SIP/2.0 ")
	if !ok {
		return 0
	}
	digits, _, _ := strings.Cut(rest, " ")
	code, _ := strconv.Atoi(digits)
	return code
}

// all returns each header line's value under a name, long or compact.
func (m *msg) all(name string) []string {
	var values []string
	for _, f := range m.fields {
		if canonical(f.name) == canonical(name) {
			values = append(values, f.value)
		}
	}
	return values
}

// has says whether there is a header of that name.
func (m *msg) has(name string) bool { return len(m.all(name)) > 0 }

// get returns the first header line's value, empty when there is none.
func (m *msg) get(name string) string {
	if values := m.all(name); len(values) > 0 {
		return values[0]
	}
	return ""
}

// list returns the comma-separated elements of all header lines under a name.
func (m *msg) list(name string) []string {
	var elements []string
	for _, value := range m.all(name) {
		elements = append(elements, splitList(value)...)
	}
	return elements
}

// splitList cuts at the commas that stand in neither quotes nor angle brackets.
func splitList(value string) []string {
	var elements []string
	start, quoted, angle := 0, false, false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '<':
			angle = true
		case c == '>':
			angle = false
		case c == ',' && !angle:
			elements = append(elements, strings.TrimSpace(value[start:i]))
			start = i + 1
		}
	}
	return append(elements, strings.TrimSpace(value[start:]))
}

// lines returns the header lines as on the wire, without those of the given names.
func (m *msg) lines(except ...string) []string {
	var lines []string
next:
	for _, f := range m.fields {
		for _, name := range except {
			if canonical(name) == canonical(f.name) {
				continue next
			}
		}
		lines = append(lines, f.raw)
	}
	return lines
}

// cseq returns the number and the method of CSeq.
func (m *msg) cseq() (number int, method string) {
	digits, method, _ := strings.Cut(m.get("CSeq"), " ")
	number, _ = strconv.Atoi(digits)
	return number, strings.TrimSpace(method)
}

// param returns a parameter of a header value or URI: what stands after the ";name=".
func param(value, name string) string {
	for part := range strings.SplitSeq(value, ";") {
		key, v, _ := strings.Cut(part, "=")
		if strings.EqualFold(strings.TrimSpace(key), name) {
			return strings.TrimRight(strings.TrimSpace(v), ">")
		}
	}
	return ""
}

// hasParam says whether a header value or URI carries a parameter, with a value or without.
func hasParam(value, name string) bool {
	for part := range strings.SplitSeq(value, ";") {
		key, _, _ := strings.Cut(part, "=")
		if strings.EqualFold(strings.Trim(key, " >"), name) {
			return true
		}
	}
	return false
}

// inBrackets returns the URI of a name-addr, or of an addr-spec without its header parameters.
func inBrackets(value string) string {
	if _, after, ok := strings.Cut(value, "<"); ok {
		uri, _, _ := strings.Cut(after, ">")
		return uri
	}
	uri, _, _ := strings.Cut(value, ";")
	return strings.TrimSpace(uri)
}

// tag is the tag of a From or To value.
func tag(value string) string {
	if _, after, ok := strings.Cut(value, ">"); ok {
		return param(after, "tag")
	}
	return param(value, "tag")
}

// destination reads a numeric host, the port and the transport out of a SIP URI.
func destination(uri string) (transport string, addr netip.AddrPort) {
	rest := uri[strings.Index(uri, ":")+1:]
	rest, _, _ = strings.Cut(rest, ";")
	if _, host, ok := strings.Cut(rest, "@"); ok {
		rest = host
	}
	if !strings.Contains(rest, ":") {
		rest += ":5060"
	}
	addr, _ = netip.ParseAddrPort(rest)
	transport = strings.ToLower(param(uri, "transport"))
	if transport == "" {
		transport = "udp"
	}
	return transport, addr
}
