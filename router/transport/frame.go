package transport

import (
	"bytes"
	"errors"
	"strings"
)

// Why a stream cannot be read any further.
var (
	errNotSIP      = errors.New("stream does not carry SIP")
	errHeaderLimit = errors.New("header block over the limit")
	// errLength and errBodyLimit come with the header block, which can still
	// be answered.
	errLength    = errors.New("unusable Content-Length")
	errBodyLimit = errors.New("Content-Length over the limit")
)

const (
	// maxMethod is longer than the method of any request, or the version of
	// any reply.
	maxMethod = 128
	// maxStartLine leaves room for a Request-URI that nobody would write.
	maxStartLine = 8 << 10
)

// framer finds the messages in a stream. It keeps what it knows of a message
// that is not whole yet, so that no byte is looked at twice however small the
// pieces are in which it comes.
type framer struct {
	maxHeader, maxMessage int

	scanned int  // bytes of the message's head looked at so far
	line    int  // where the line begins that is being looked at
	token   bool // the first token of the start line is complete
	started bool // the start line is complete
	size    int  // of the whole message, once its head is complete
	blanks  int  // line ends in a row between messages
}

// frame is what a framer found next: first line ends to skip, then a message.
type frame struct {
	skip  int   // bytes before the message
	size  int   // bytes of the message; 0 while it is not whole
	pings int   // how many times the line ends ask for an answer
	err   error // the stream ends here, after the message if there is one
}

// next looks for a message. b begins where the last frame ended; bytes that a
// frame skipped or took are not given again.
func (f *framer) next(b []byte) frame {
	var out frame
	if f.scanned == 0 {
		out.skip, out.pings, out.err = f.skipBlank(b)
		if b = b[out.skip:]; len(b) == 0 || out.err != nil {
			return out
		}
		if len(b) == 1 && b[0] == '\r' {
			return out // the first half of a line end
		}
	}
	if f.size == 0 {
		end, err := f.headEnd(b[:min(len(b), f.maxHeader)])
		if err != nil || end == 0 {
			out.err = err
			return out
		}
		body, err := contentLength(b[:end])
		if err == nil && body > f.maxMessage-end {
			err = errBodyLimit
		}
		if err != nil {
			out.size, out.err = end, err
			return out
		}
		f.size = end + body
	}
	if len(b) >= f.size {
		out.size = f.size
		*f = framer{maxHeader: f.maxHeader, maxMessage: f.maxMessage}
	}
	return out
}

// skipBlank passes over the line ends between messages. Two in a row are a
// ping (RFC 5626 section 4.4.1).
func (f *framer) skipBlank(b []byte) (skip, pings int, err error) {
	for skip < len(b) {
		switch {
		case b[skip] == '\n':
			skip++
		case b[skip] != '\r':
			f.blanks = 0
			return skip, pings, nil
		case skip+1 == len(b):
			return skip, pings, nil
		case b[skip+1] == '\n':
			skip += 2
		default:
			return skip, pings, errNotSIP
		}
		f.blanks++
		if f.blanks == 2 {
			f.blanks = 0
			pings++
		}
	}
	return skip, pings, nil
}

// headEnd returns where the header block ends, after its empty line, or 0 when
// that has not come yet. b has at most maxHeader bytes.
func (f *framer) headEnd(b []byte) (int, error) {
	if !f.started {
		if err := f.startLine(b); err != nil || !f.started {
			return 0, f.orTooLong(b, err)
		}
	}
	for {
		i := bytes.IndexByte(b[f.scanned:], '\n')
		if i < 0 {
			f.scanned = len(b)
			return 0, f.orTooLong(b, nil)
		}
		i += f.scanned
		line := b[f.line:i]
		f.scanned, f.line = i+1, i+1
		if len(line) == 0 || len(line) == 1 && line[0] == '\r' {
			return f.scanned, nil
		}
	}
}

// orTooLong adds the limit to the errors of a head that is not complete.
func (f *framer) orTooLong(b []byte, err error) error {
	if err == nil && len(b) == f.maxHeader {
		return errHeaderLimit
	}
	return err
}

// startLine looks at each byte of the first line, to be rid early of what is
// no SIP: another protocol, or somebody who feeds us one byte at a time.
func (f *framer) startLine(b []byte) error {
	for i := f.scanned; i < len(b); i++ {
		c := b[i]
		switch {
		case c == '\n':
			f.scanned, f.line, f.started = i+1, i+1, true
			if !f.token || !hasVersion(b[:i]) {
				return errNotSIP
			}
			return nil
		case i > 0 && b[i-1] == '\r', c < ' ' && c != '\t' && c != '\r', c == 0x7f, i >= maxStartLine:
			return errNotSIP
		case f.token:
		case c == ' ' || c == '\t':
			if i == 0 {
				return errNotSIP
			}
			f.token = true
		case i >= maxMethod || c != '/' && !isToken(c):
			return errNotSIP
		}
	}
	f.scanned = len(b)
	return nil
}

// hasVersion reports whether a line names any version of SIP.
func hasVersion(line []byte) bool {
	for len(line) >= len("SIP/") {
		i := bytes.IndexByte(line, '/')
		if i < 0 {
			return false
		}
		if i >= 3 && bytes.EqualFold(line[i-3:i], []byte("SIP")) {
			return true
		}
		line = line[i+1:]
	}
	return false
}

// isToken reports whether a byte may stand in a token (RFC 3261 section 25.1).
func isToken(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return strings.IndexByte("-.!%*_+`'~", c) >= 0
}
