package message

// Fault is why a message is refused. For a request that can be answered, Status is the reply's code and Phrase its
// reason phrase; Status 0 means that the bytes are no SIP at all and nothing is answered.
type Fault struct {
	Status int
	Phrase string
}

// Error is the phrase.
func (f *Fault) Error() string { return f.Phrase }

// The faults that Parse and the readers of fields report. The phrases go to the peer, so they say what to mend.
var (
	ErrNotSIP         = &Fault{0, "not SIP"}
	ErrStatusLine     = &Fault{0, "bad status line"}
	ErrVersion        = &Fault{505, "Version Not Supported"}
	ErrRequestLine    = &Fault{400, "Bad Request-Line"}
	ErrHeaderLine     = &Fault{400, "Bad Header Line"}
	ErrHeadersEnd     = &Fault{400, "Missing Empty Line"}
	ErrTooManyHeaders = &Fault{400, "Too Many Headers"}
	ErrRepeated       = &Fault{400, "Repeated Header"}
	ErrContentLength  = &Fault{400, "Bad Content-Length"}
	ErrMissing        = &Fault{400, "Missing Mandatory Header"}
	ErrVia            = &Fault{400, "Bad Via"}
	ErrCSeq           = &Fault{400, "Bad CSeq"}
	ErrFrom           = &Fault{400, "Bad From"}
	ErrTo             = &Fault{400, "Bad To"}
	ErrCallID         = &Fault{400, "Bad Call-ID"}
	ErrMaxForwards    = &Fault{400, "Bad Max-Forwards"}
	ErrRoute          = &Fault{400, "Bad Route"}
	ErrURI            = &Fault{400, "Bad Request-URI"}
	ErrScheme         = &Fault{416, "Unsupported URI Scheme"}
)
