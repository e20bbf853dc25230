package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// wire is whatever a peer can put on the wire.
type wire interface{ text() string }

// raw is a message as it stands.
type raw string

func (r raw) text() string { return string(r) }

// draft is a message in the making: a start line, header lines in order, and a body.
type draft struct {
	start    string
	lines    []string
	body     string
	noLength bool // Leave Content-Length as the lines have it.
}

// text prints the draft; Content-Length comes last and is right.
func (d *draft) text() string {
	var b strings.Builder
	b.WriteString(d.start + "\r\n")
	for _, line := range d.lines {
		b.WriteString(line + "\r\n")
	}
	if !d.noLength {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(d.body))
	}
	b.WriteString("\r\n" + d.body)
	return b.String()
}

// clone copies the draft, so that a variation leaves the first one alone.
func (d *draft) clone() *draft {
	c := *d
	c.lines = slices.Clone(d.lines)
	return &c
}

func lineHas(line, name string) bool {
	n, _, _ := strings.Cut(line, ":")
	return canonical(n) == canonical(name)
}

// get returns the first value under a name.
func (d *draft) get(name string) string {
	for _, line := range d.lines {
		if lineHas(line, name) {
			_, value, _ := strings.Cut(line, ":")
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// set replaces the first header of that name, or appends one.
func (d *draft) set(name, value string) *draft {
	for i, line := range d.lines {
		if lineHas(line, name) {
			d.lines[i] = name + ": " + value
			return d
		}
	}
	return d.add(name + ": " + value)
}

// add appends header lines as they stand.
func (d *draft) add(lines ...string) *draft {
	d.lines = append(d.lines, lines...)
	return d
}

// top puts header lines before all others.
func (d *draft) top(lines ...string) *draft {
	d.lines = slices.Concat(lines, d.lines)
	return d
}

// del removes all headers of a name.
func (d *draft) del(name string) *draft {
	d.lines = slices.DeleteFunc(d.lines, func(line string) bool { return lineHas(line, name) })
	return d
}

// with gives the draft a body.
func (d *draft) with(contentType, body string) *draft {
	d.set("Content-Type", contentType)
	d.body = body
	return d
}

// offering gives the draft a session description.
func (d *draft) offering(sdp string) *draft { return d.with("application/sdp", sdp) }

// to changes the Request-URI.
func (d *draft) to(uri string) *draft {
	method, _, _ := strings.Cut(d.start, " ")
	d.start = method + " " + uri + " SIP/2.0"
	return d
}

// again gives the draft a new branch and Call-ID, so that it is another call of the same shape.
func (d *draft) again() *draft {
	c := d.clone()
	for i, line := range c.lines {
		if lineHas(line, "Via") {
			head, _, _ := strings.Cut(line, ";branch=")
			c.lines[i] = head + ";branch=" + newBranch()
			break
		}
	}
	return c.set("Call-ID", newToken("call")+"@e2e")
}

// reasons are the phrases that the scripted peers use.
var reasons = map[int]string{
	100: "Trying", 180: "Ringing", 183: "Session Progress", 200: "OK", 202: "Accepted", 302: "Moved Temporarily",
	404: "Not Found", 407: "Proxy Authentication Required", 408: "Request Timeout", 480: "Temporarily Unavailable",
	486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here", 500: "Server Internal Error",
	503: "Service Unavailable", 603: "Decline",
}

// reply begins the answer to a request: Via, From, To, Call-ID and CSeq are the request's, bytes and order; beyond
// 100 the To gets a tag, and what makes or keeps a dialog gets Record-Route and a Contact.
func (p *peer) reply(req *msg, code int) *draft {
	phrase := reasons[code]
	if phrase == "" {
		phrase = "Reason " + strconv.Itoa(code)
	}
	d := &draft{start: fmt.Sprintf("SIP/2.0 %d %s", code, phrase)}
	dialog := code > 100 && code < 300
	for _, f := range req.fields {
		switch canonical(f.name) {
		case "via", "from", "call-id", "cseq":
			d.lines = append(d.lines, f.raw)
		case "record-route":
			if dialog {
				d.lines = append(d.lines, f.raw)
			}
		case "to":
			line := f.raw
			if code > 100 && tag(f.value) == "" {
				line += ";tag=" + toTag(req)
			}
			d.lines = append(d.lines, line)
		}
	}
	if dialog && req.method() != "CANCEL" && req.method() != "BYE" {
		d.lines = append(d.lines, "Contact: "+p.contact(req.transport()))
	}
	return d
}

// toTag is the tag that a peer gives to a request: the same for each reply to it.
func toTag(req *msg) string {
	via := req.list("Via")
	if len(via) == 0 {
		return "to"
	}
	branch := param(via[0], "branch")
	return "to" + branch[max(0, len(branch)-8):]
}

// ackFor makes the ACK of a hop to a final reply that is no 2xx (RFC 3261 section 17.1.1.3).
func ackFor(inv *draft, final *msg) *draft {
	d := &draft{start: strings.Replace(inv.start, "INVITE ", "ACK ", 1)}
	for _, line := range inv.lines {
		if lineHas(line, "Via") {
			d.add(line)
			break
		}
	}
	for _, line := range inv.lines {
		if lineHas(line, "Route") || lineHas(line, "From") || lineHas(line, "Call-ID") || lineHas(line, "Max-Forwards") {
			d.add(line)
		}
	}
	number, _, _ := strings.Cut(inv.get("CSeq"), " ")
	return d.add("To: "+final.get("To"), "CSeq: "+number+" ACK")
}

// cancelFor makes the CANCEL of an INVITE (RFC 3261 section 9.1).
func cancelFor(inv *draft) *draft {
	d := &draft{start: strings.Replace(inv.start, "INVITE ", "CANCEL ", 1)}
	for _, line := range inv.lines {
		if lineHas(line, "Via") {
			d.add(line)
			break
		}
	}
	for _, line := range inv.lines {
		if lineHas(line, "Route") || lineHas(line, "From") || lineHas(line, "To") || lineHas(line, "Call-ID") || lineHas(line, "Max-Forwards") {
			d.add(line)
		}
	}
	number, _, _ := strings.Cut(inv.get("CSeq"), " ")
	return d.add("CSeq: " + number + " CANCEL")
}
