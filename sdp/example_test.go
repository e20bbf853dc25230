package sdp_test

import (
	"fmt"
	"strings"

	"github.com/voipbin/dialrouter/sdp"
)

func ExamplePolicy_Filter() {
	policy, err := sdp.Compile("ulaw, opus/48000/2")
	if err != nil {
		fmt.Println(err)
		return
	}
	offer := "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n" +
		"m=audio 40000 RTP/AVP 96 18 0 101\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:18 annexb=no\r\n" +
		"a=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n"

	buffer := make([]byte, 0, 2048) // Used again for each call.
	body, outcome := policy.Filter(buffer, []byte(offer))

	fmt.Println(policy, outcome)
	fmt.Print(strings.ReplaceAll(string(body), "\r\n", "\n"))
	// Output:
	// PCMU,opus/48000/2 edited
	// v=0
	// o=- 1 1 IN IP4 192.0.2.1
	// s=-
	// c=IN IP4 192.0.2.1
	// t=0 0
	// m=audio 40000 RTP/AVP 0 96 101
	// a=rtpmap:96 opus/48000/2
	// a=rtpmap:101 telephone-event/8000
	// a=ptime:20
}
