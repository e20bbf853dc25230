//go:build linux

package load_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/voipbin/dialrouter/bench/load"
	"github.com/voipbin/dialrouter/bench/table"
)

func TestServe(t *testing.T) {
	probe := direct(t, loopback(), answers)
	cfg := probe.Config()
	probe.Close()
	plans := `{"scenario":"A","rate":1000,"calls":20}` + "\n" + `{"scenario":"Q"}` + "\n" + `{"scenario":"R","rate":1000,"calls":30,"ring":20000000}` + "\n"
	var out bytes.Buffer
	if err := load.Serve(t.Context(), cfg, table.MinPrefixes, strings.NewReader(plans), &out); err != nil {
		t.Fatal(err)
	}
	var got []string
	for dec := json.NewDecoder(&out); ; {
		var e load.Event
		if err := dec.Decode(&e); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		switch {
		case e.Ready != nil && e.Ready.Answers == cfg.Answers:
			got = append(got, "ready")
		case e.Offered:
			got = append(got, "offered")
		case e.Result != nil && e.Result.OK == e.Result.Calls:
			got = append(got, "result")
		case e.Error != "":
			got = append(got, "error")
		}
	}
	if want := "ready offered result error offered result"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestServeRefusesJunk(t *testing.T) {
	if err := load.Serve(t.Context(), loopback(), table.MinPrefixes, strings.NewReader("junk\n"), io.Discard); err == nil {
		t.Error("junk was taken for a plan")
	}
}
