package sdp

import (
	"errors"
	"strings"
	"testing"
)

func TestCompile(t *testing.T) {
	for _, tt := range []struct{ list, want string }{
		{"", ""},
		{" \t ", ""},
		{"PCMU", "PCMU"},
		{"PCMU,PCMA", "PCMU,PCMA"},
		{" pcmu ,\tPcMa ", "PCMU,PCMA"},
		{"ulaw,ALAW,g722", "PCMU,PCMA,G722"},
		{"ulaw/8000", "PCMU/8000"},
		{"PCMU,pcmu,ulaw,PCMA", "PCMU,PCMA"},
		{"OPUS/048000/2,ilbc", "opus/48000/2,iLBC"},
		{"opus,opus/48000/2", "opus,opus/48000/2"},
		{"g722/16000", "G722/8000"},
		{"L16/16000/1", "L16/16000/1"},
		{"PCMU,Telephone-Event,cn", "PCMU,telephone-event,CN"},
		{"AMR-WB,G726-32,X_y.z", "AMR-WB,G726-32,X_Y.Z"},
		{"PCMU/fast,PCMU/8000/,/8000,PCMU/0", "PCMU/FAST,PCMU/8000/,/8000,PCMU/0"},
		{strings.Repeat("a", 255), strings.Repeat("A", 255)},
	} {
		t.Run(tt.list, func(t *testing.T) {
			p := compile(t, tt.list)
			if got := p.String(); got != tt.want {
				t.Errorf("Compile(%q) = %q, want %q", tt.list, got, tt.want)
			}
			if again := compile(t, p.String()).String(); again != tt.want {
				t.Errorf("Compile(%q) = %q, want itself", tt.want, again)
			}
			if p.Unrestricted() != (tt.want == "") {
				t.Errorf("Unrestricted() = %v", p.Unrestricted())
			}
		})
	}
}

func TestCompileRefuses(t *testing.T) {
	for _, tt := range []struct {
		list string
		want error
		say  string // Part of the message.
	}{
		{"PCMU,,PCMA", ErrEmptyElement, "codec 2"},
		{",PCMU", ErrEmptyElement, "codec 1"},
		{"PCMU,", ErrEmptyElement, "codec 2"},
		{"PCMU, ", ErrEmptyElement, "codec 2"},
		{",", ErrEmptyElement, "codec 1"},
		{"PCMU,PC\rMA", ErrLineBreak, `"PC\rMA"`},
		{"PCMU\n", ErrLineBreak, "codec 1"},
		{"PCMU,PCMA(1", ErrParenthesis, `"PCMA(1"`},
		{"PCMU)", ErrParenthesis, "codec 1"},
		{strings.Repeat("a", 256), ErrTooLong, "256 bytes"},
	} {
		t.Run(tt.list, func(t *testing.T) {
			p, err := Compile(tt.list)
			if p != nil || !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.say) {
				t.Errorf("Compile(%q) = %v, %v; want %v with %q", tt.list, p, err, tt.want, tt.say)
			}
		})
	}
}

func TestNoPolicyChangesNothing(t *testing.T) {
	offer := []byte(crlf(benchOffer))
	var missing *Policy
	for _, p := range []*Policy{missing, compile(t, "")} {
		if out, outcome := p.Filter(nil, offer); out != nil || outcome != Untouched {
			t.Errorf("Filter = %q, %v", out, outcome)
		}
		if out, outcome := p.FilterBody(nil, []byte("application/sdp"), []byte("gzip"), offer); out != nil || outcome != Untouched {
			t.Errorf("FilterBody = %q, %v", out, outcome)
		}
		if p.Violates(offer) || p.ViolatesBody([]byte("application/sdp"), nil, offer) || p.String() != "" {
			t.Error("a policy that is none finds something")
		}
	}
}

func TestOutcomeString(t *testing.T) {
	for o, want := range map[Outcome]string{
		Untouched: "untouched", Edited: "edited", NoCodec: "no_codec", Unreadable: "unreadable", Protected: "protected",
		Protected + 1: "unknown",
	} {
		if o.String() != want {
			t.Errorf("Outcome(%d) = %q, want %q", o, o.String(), want)
		}
	}
}
