//go:build linux

package host

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// CPUTimes is how long processors have been busy, idle, and taken away by the machine below (steal).
type CPUTimes struct {
	Busy, Idle, Steal time.Duration
}

// Sub returns the times since an earlier reading.
func (t CPUTimes) Sub(earlier CPUTimes) CPUTimes {
	return CPUTimes{Busy: t.Busy - earlier.Busy, Idle: t.Idle - earlier.Idle, Steal: t.Steal - earlier.Steal}
}

// Processors adds up the times of some processors; all of them when none is named.
func Processors(cpus ...int) (CPUTimes, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return CPUTimes{}, fmt.Errorf("reading the processors' times: %w", err)
	}
	return parseProcessors(string(text), cpus)
}

func parseProcessors(text string, cpus []int) (CPUTimes, error) {
	want := map[string]bool{}
	for _, c := range cpus {
		want["cpu"+strconv.Itoa(c)] = true
	}
	if len(cpus) == 0 {
		want["cpu"] = true
	}
	var sum CPUTimes
	found := 0
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 9 || !want[f[0]] {
			continue
		}
		found++
		var v [8]time.Duration // user nice system idle iowait irq softirq steal
		for i := range v {
			n, err := strconv.ParseInt(f[1+i], 10, 64)
			if err != nil {
				return CPUTimes{}, fmt.Errorf("reading /proc/stat: %w", err)
			}
			v[i] = time.Duration(n) * clockTick
		}
		sum.Busy += v[0] + v[1] + v[2] + v[5] + v[6]
		sum.Idle += v[3] + v[4]
		sum.Steal += v[7]
	}
	if found != len(want) {
		return CPUTimes{}, fmt.Errorf("/proc/stat holds %d of the processors %v", found, cpus)
	}
	return sum, nil
}

// UDPDrops returns how many datagrams this network namespace has dropped for want of buffer space.
func UDPDrops() (int64, error) {
	text, err := os.ReadFile("/proc/net/snmp")
	if err != nil {
		return 0, fmt.Errorf("reading the network's counters: %w", err)
	}
	return parseUDPDrops(string(text))
}

func parseUDPDrops(text string) (int64, error) {
	var names []string
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		switch {
		case len(f) == 0 || f[0] != "Udp:":
		case names == nil:
			names = f
		case len(f) == len(names):
			var sum int64
			for i, name := range names {
				if name == "RcvbufErrors" || name == "SndbufErrors" {
					n, err := strconv.ParseInt(f[i], 10, 64)
					if err != nil {
						return 0, fmt.Errorf("reading /proc/net/snmp: %w", err)
					}
					sum += n
				}
			}
			return sum, nil
		}
	}
	return 0, errors.New("/proc/net/snmp holds no counters of UDP")
}

// Bound tells whether a UDP socket of this network namespace is bound to an IPv4 address, or to all of them.
func Bound(at netip.AddrPort) (bool, error) {
	text, err := os.ReadFile("/proc/net/udp")
	if err != nil {
		return false, fmt.Errorf("listing sockets: %w", err)
	}
	return parseBound(string(text), at), nil
}

func parseBound(text string, at netip.AddrPort) bool {
	ip := at.Addr().As4()
	ip[0], ip[1], ip[2], ip[3] = ip[3], ip[2], ip[1], ip[0]
	port := fmt.Sprintf(":%04X", at.Port())
	one, all := strings.ToUpper(hex.EncodeToString(ip[:]))+port, "00000000"+port
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 1 && (f[1] == one || f[1] == all) {
			return true
		}
	}
	return false
}

// Machine describes where something was measured.
type Machine struct {
	Processor  string `json:"processor"`
	Processors int    `json:"processors"`
	Kernel     string `json:"kernel"`
	Go         string `json:"go"`
}

// ThisMachine returns the description of this machine.
func ThisMachine() Machine {
	m := Machine{Processor: runtime.GOARCH, Processors: runtime.NumCPU(), Go: runtime.Version()}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				m.Processor = strings.TrimSpace(value)
				break
			}
		}
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	return m
}
