package message

// Method is a request method that the proxy tells apart; names are compared with their case (RFC 3261 section 7.1).
type Method uint8

// The methods.
const (
	MethodOther Method = iota // One that we have never heard of.
	INVITE
	ACK
	BYE
	CANCEL
	OPTIONS
	REGISTER
	PRACK
	UPDATE
	INFO
	REFER
	MESSAGE
	NOTIFY
	SUBSCRIBE
	PUBLISH
)

// methodNames has the text of each Method.
var methodNames = [...]string{ //nolint:gochecknoglobals // A lookup table.
	"other", "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "PRACK", "UPDATE", "INFO", "REFER", "MESSAGE",
	"NOTIFY", "SUBSCRIBE", "PUBLISH",
}

// NumMethods is how many values Method has, for tables by method.
const NumMethods = len(methodNames)

// String is the method as in a start line; "other" for MethodOther.
func (m Method) String() string { return methodNames[m] }

// MethodOf finds a method by its text.
func MethodOf(b []byte) Method {
	switch string(b) {
	case "INVITE":
		return INVITE
	case "ACK":
		return ACK
	case "BYE":
		return BYE
	case "CANCEL":
		return CANCEL
	case "OPTIONS":
		return OPTIONS
	case "REGISTER":
		return REGISTER
	case "PRACK":
		return PRACK
	case "UPDATE":
		return UPDATE
	case "INFO":
		return INFO
	case "REFER":
		return REFER
	case "MESSAGE":
		return MESSAGE
	case "NOTIFY":
		return NOTIFY
	case "SUBSCRIBE":
		return SUBSCRIBE
	case "PUBLISH":
		return PUBLISH
	}
	return MethodOther
}
