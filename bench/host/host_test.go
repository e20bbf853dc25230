//go:build linux

package host

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const rest = " S 1 77 88 0 -1 4194560 100 200 3 4 150 50 7 3 20 0 1 0 12345 1000000 300 18446744073709551615"
	for _, name := range []string{"kamailio", "a b) (c", ")"} {
		s, err := parseStat([]byte("42 (" + name + ")" + rest + "\n"))
		want := procStat{pid: 42, state: 'S', session: 88, user: 1570 * time.Millisecond, system: 530 * time.Millisecond}
		if err != nil || s != want {
			t.Errorf("%s: got %+v, %v, want %+v", name, s, err, want)
		}
	}
	for _, bad := range []string{"", "42", "42 (x) S 1", "x (x)" + rest} {
		if s, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q became %+v", bad, s)
		}
	}
}

func TestParseSmaps(t *testing.T) {
	got := parseSmaps([]byte("55d0-7ffd ---p 00000000 00:00 0 [rollup]\nRss:    2048 kB\nPss:    1024 kB\nPss_Anon:   9 kB\nSwapPss: 7 kB\n"))
	if want := (Memory{PSS: 1 << 20, RSS: 2 << 20}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestParseProcessors(t *testing.T) {
	const text = "cpu  30 0 12 200 8 2 4 6 0 0\ncpu0 10 0 4 100 4 1 2 3 0 0\ncpu1 20 0 8 100 4 1 2 3 0 0\nintr 5\n"
	for _, test := range []struct {
		cpus []int
		want CPUTimes
	}{
		{nil, CPUTimes{480 * time.Millisecond, 2080 * time.Millisecond, 60 * time.Millisecond}},
		{[]int{1}, CPUTimes{310 * time.Millisecond, 1040 * time.Millisecond, 30 * time.Millisecond}},
		{[]int{0, 1}, CPUTimes{480 * time.Millisecond, 2080 * time.Millisecond, 60 * time.Millisecond}},
	} {
		if got, err := parseProcessors(text, test.cpus); err != nil || got != test.want {
			t.Errorf("%v: got %+v, %v, want %+v", test.cpus, got, err, test.want)
		}
	}
	if _, err := parseProcessors(text, []int{2}); err == nil {
		t.Error("a processor that is not there was read")
	}
}

func TestParseUDPDrops(t *testing.T) {
	const text = "Ip: Forwarding\nIp: 1\nUdp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors\nUdp: 10 1 5 20 4 1\nUdpLite: a\n"
	if got, err := parseUDPDrops(text); err != nil || got != 5 {
		t.Errorf("got %d, %v, want 5", got, err)
	}
	if _, err := parseUDPDrops("Ip: 1\n"); err == nil {
		t.Error("counters that are not there were read")
	}
}

func TestParseBound(t *testing.T) {
	const text = "  sl  local_address rem_address\n  1: 0100007F:13C4 00000000:0000 07\n  2: 00000000:1F90 00000000:0000 07\n"
	for at, want := range map[string]bool{"127.0.0.1:5060": true, "127.0.0.2:5060": false, "127.0.0.1:5061": false, "127.0.0.9:8080": true} {
		if got := parseBound(text, netip.MustParseAddrPort(at)); got != want {
			t.Errorf("%s: %v, want %v", at, got, want)
		}
	}
}

func TestParseCPUs(t *testing.T) {
	for list, want := range map[string][]int{"": nil, "0": {0}, "0,2-4": {0, 2, 3, 4}} {
		if got, err := ParseCPUs(list); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v", list, got, err)
		}
	}
	for _, bad := range []string{"a", "1-", "3-1", "-1", "0,,1"} {
		if got, err := ParseCPUs(bad); err == nil {
			t.Errorf("%q became %v", bad, got)
		}
	}
}

func TestReadingsOfThisMachine(t *testing.T) {
	if times, err := Processors(); err != nil || times.Idle+times.Busy == 0 {
		t.Errorf("%+v, %v", times, err)
	}
	if _, err := UDPDrops(); err != nil {
		t.Error(err)
	}
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if bound, err := Bound(c.LocalAddr().(*net.UDPAddr).AddrPort()); err != nil || !bound {
		t.Errorf("bound %v, %v", bound, err)
	}
	if m := ThisMachine(); m.Processors < 1 || m.Kernel == "" || m.Processor == "" {
		t.Errorf("%+v", m)
	}
}

// start runs a shell script whose first line of output says that it has done its work.
func start(ctx context.Context, t *testing.T, script string) *Program {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := Start(ctx, []string{"sh", "-c", script}, Placement{CPUs: "0", Nice: 1}, nil, w, io.Discard)
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Stop() })
	if _, err := r.Read(make([]byte, 1)); err != nil {
		t.Fatalf("the script said nothing: %v", err)
	}
	return p
}

const work = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; "

func TestUsageCountsChildren(t *testing.T) {
	p := start(t.Context(), t, "("+work+"echo done; sleep 60) & wait")
	u, err := SessionUsage(p.Session())
	if err != nil || u.Processes < 2 || u.Total() < 2*clockTick {
		t.Errorf("a child at work: %+v, %v", u, err)
	}
	if m, err := SessionMemory(p.Session()); err != nil || m.PSS < 50<<10 || m.RSS < m.PSS {
		t.Errorf("memory %+v, %v", m, err)
	}
	q := start(t.Context(), t, "("+work+"); echo done; sleep 60")
	if u, err := SessionUsage(q.Session()); err != nil || u.Total() < 2*clockTick {
		t.Errorf("a child that has ended: %+v, %v", u, err)
	}
}

func TestStopEndsAll(t *testing.T) {
	// The child does not hear SIGTERM, and its parent is gone.
	p := start(t.Context(), t, "(trap '' TERM; echo ready; while :; do sleep 1; done) & exit 0")
	begin := time.Now()
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	if u, err := SessionUsage(p.Session()); err != nil || u.Processes != 0 {
		t.Errorf("left: %+v, %v", u, err)
	}
	if p.Status() != "exit status 0" {
		t.Errorf("ended with %s", p.Status())
	}
	if took := time.Since(begin); took < stopTime {
		t.Errorf("killed after %v, which is no time to end", took)
	}
	if err := p.Stop(); err != nil {
		t.Errorf("stopping twice: %v", err)
	}
}

func TestContextEndsAll(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p := start(ctx, t, "sleep 60 & echo ready; wait")
	cancel()
	<-p.Ended()
	for range 100 {
		if u, err := SessionUsage(p.Session()); err == nil && u.Processes == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("a child is left")
}

func TestWrap(t *testing.T) {
	argv, err := Placement{CPUs: "1", Nice: 5}.Wrap([]string{"prog", "arg"})
	if err != nil || !strings.HasSuffix(strings.Join(argv, " "), "taskset -c 1 prog arg") || argv[0] != "nice" {
		t.Errorf("%q, %v", argv, err)
	}
	if argv, _ := (Placement{}).Wrap([]string{"prog"}); !slices.Equal(argv, []string{"prog"}) {
		t.Errorf("%q", argv)
	}
}
