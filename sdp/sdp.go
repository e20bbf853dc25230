// Package sdp rewrites a session description by a codec policy and touches nothing else.
//
// A session description (RFC 8866) is lines of one letter, "=" and a value. It begins with the session's own lines;
// every "m=" line opens a media section, which lasts until the next one:
//
//	v=0                                        session
//	o=- 1 1 IN IP4 192.0.2.1
//	s=-
//	c=IN IP4 192.0.2.1
//	t=0 0
//	m=audio 40000 RTP/AVP 96 0 18 101          media: kind, port, transport, formats in order of preference
//	  |     |     |       |
//	  |     |     |       +-- payload types: kept, put in the policy's order, or removed
//	  |     |     +---------- only RTP profiles are edited
//	  |     +---------------- 0 says that the section is off; so it becomes when no codec is left
//	  +---------------------- only audio is edited
//	a=rtpmap:96 opus/48000/2                   name/clock/channels of a payload type   \
//	a=fmtp:96 useinbandfec=1                   its parameters                           > leave with their payload type
//	a=rtcp-fb:96 transport-cc                  its feedback messages                   /
//	a=ptime:20                                 anything else stays as it is
//
// The edit works on lines: what it does not name leaves byte for byte, with its own line ending. A description is
// edited as a whole or not at all.
//
// Everything here is a pure function over the caller's bytes. Nothing allocates when the destination is big enough. What
// became of the last descriptions is remembered: one that differs from them only in the session's lines and in the port
// of its only section is not read again.
package sdp

// Outcome tells what Filter and FilterBody did with a body.
type Outcome uint8

// The outcomes. Only Edited comes with a new body; for all others the caller goes on with the one it has.
const (
	// Untouched: there was nothing to change.
	Untouched Outcome = iota
	// Edited: the rewritten body was appended to the destination.
	Edited
	// NoCodec: audio was offered and the policy leaves none of it, so whoever has this policy cannot take the call.
	NoCodec
	// Unreadable: the body is no session description that can be read without a doubt.
	Unreadable
	// Protected: the body is signed, encrypted or encoded, so a change would break it (RFC 3261 section 23).
	Protected
)

// String returns the name of an outcome as metrics and logs use it.
func (o Outcome) String() string {
	switch o {
	case Untouched:
		return "untouched"
	case Edited:
		return "edited"
	case NoCodec:
		return "no_codec"
	case Unreadable:
		return "unreadable"
	case Protected:
		return "protected"
	}
	return "unknown"
}
