package sdp

// codec is an encoding as rtpmap writes it: name/clock/channels. The name is in lower case. In a policy's element a
// clock or channels of 0 stands for any.
type codec struct {
	name     string
	clock    uint32
	channels uint32
}

// role tells what a payload type is for. All but roleCodec serve a codec and follow it.
type role uint8

const (
	roleUnknown    role = iota // No rtpmap, and no meaning by its number.
	roleCodec                  // Carries the sound.
	roleEvent                  // telephone-event (RFC 4733).
	roleNoise                  // CN (RFC 3389).
	roleFEC                    // Forward error correction (RFC 5109, RFC 8627 and kin).
	roleRedundancy             // red (RFC 2198): its fmtp lists the payload types inside.
	roleRepair                 // rtx (RFC 4588): its fmtp names the payload type that it repeats.
)

// staticTypes are the audio payload types of RFC 3551 section 6, table 4, which need no rtpmap. G722 samples at 16 kHz
// but its RTP clock is 8000, by an error that was kept (section 4.5.2). A clock of 0 means: not assigned to audio.
//
//nolint:gochecknoglobals // A table; Go has no array constants.
var staticTypes = [...]codec{
	0:  {"pcmu", 8000, 1},
	3:  {"gsm", 8000, 1},
	4:  {"g723", 8000, 1},
	5:  {"dvi4", 8000, 1},
	6:  {"dvi4", 16000, 1},
	7:  {"lpc", 8000, 1},
	8:  {"pcma", 8000, 1},
	9:  {"g722", 8000, 1},
	10: {"l16", 44100, 2},
	11: {"l16", 44100, 1},
	12: {"qcelp", 8000, 1},
	13: {"cn", 8000, 1},
	14: {"mpa", 90000, 1},
	15: {"g728", 8000, 1},
	16: {"dvi4", 11025, 1},
	17: {"dvi4", 22050, 1},
	18: {"g729", 8000, 1},
}

// staticNoise is the payload type that RFC 3551 gives to CN.
const staticNoise = 13

// spellings are the names that are not registered in capitals, for Policy.String.
//
//nolint:gochecknoglobals // A table; Go has no slice constants.
var spellings = [...]string{
	"iLBC", "opus", "speex", "telephone-event", "red", "rtx", "ulpfec", "flexfec", "parityfec",
	"mpa-robust", "mpeg4-generic", "vorbis",
}

// asterisk maps the names that Asterisk gives to codecs, where they differ from the registered ones.
//
//nolint:gochecknoglobals // A table; Go has no map constants.
var asterisk = map[string]string{"ulaw": "pcmu", "alaw": "pcma"}

// roleOf tells what an encoding name stands for, in any case.
func roleOf(name []byte) role {
	switch len(name) {
	case len("cn"):
		if equalFold(name, "cn") {
			return roleNoise
		}
	case len("red"):
		if equalFold(name, "red") {
			return roleRedundancy
		}
		if equalFold(name, "rtx") {
			return roleRepair
		}
	case len("ulpfec"):
		if equalFold(name, "ulpfec") {
			return roleFEC
		}
		if equalFold(name, "fwdred") { // RFC 6354: red with a delay.
			return roleRedundancy
		}
	case len("flexfec"):
		if equalFold(name, "flexfec") {
			return roleFEC
		}
	case len("parityfec"):
		if equalFold(name, "parityfec") || equalFold(name, "raptorfec") {
			return roleFEC
		}
	case len("flexfec-03"):
		if equalFold(name, "flexfec-03") || equalFold(name, "x-ulpfecuc") {
			return roleFEC
		}
	case len("telephone-event"):
		if equalFold(name, "telephone-event") {
			return roleEvent
		}
	case len("1d-interleaved-parityfec"):
		if equalFold(name, "1d-interleaved-parityfec") {
			return roleFEC
		}
	}
	return roleCodec
}

// rtpClock returns the clock rate that a codec's timestamps really use. Some write the sampling rate of G722 where its
// clock belongs.
func rtpClock(name []byte, clock uint32) uint32 {
	if clock == 16000 && equalFold(name, "g722") {
		return 8000
	}
	return clock
}
