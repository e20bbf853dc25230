package config

import (
	"log/slog"
	"net/netip"
	"time"
)

// defaults returns what an empty file means. Each value is the one that the example file shows.
func defaults(file string) *Config {
	loopback := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 5060)
	return &Config{
		SIP: SIP{
			Listen:   []Listen{{Transport: "udp", Addr: loopback}, {Transport: "tcp", Addr: loopback}},
			Allow:    []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{127}), 8)},
			MaxCalls: 100_000,

			MaxConnections: 4096, SourceConnections: 256,
		},
		// Silence for 2 s is four copies of the INVITE lost in a row (at 0, 0.5 and 1.5 s, RFC 3261 section 17.1.1.2):
		// waiting longer only keeps the caller waiting. 12 s to ring leaves time for a mobile to be paged.
		Budgets: Budgets{
			NoReply:     2 * time.Second,
			NoRinging:   12 * time.Second,
			Answer:      60 * time.Second,
			Setup:       90 * time.Second,
			MaxAttempts: 5,
		},
		Failover: Failover{Next: []string{"401", "403", "404", "407", "408", "415", "488", "5xx"}},
		Drain:    30 * time.Second,
		// Five failures in a row are more than a broken number or a lost packet makes, and few enough that the callers of a
		// quiet provider do not wait often.
		Health: Health{
			Interval: 30 * time.Second, Timeout: 4 * time.Second, DownAfter: 3, UpAfter: 1, Failures: 5,
			Quality: Quality{Margin: 5},
		},
		Calls:  Calls{Keep: 10_000, MaxSize: 100 << 20, MaxFiles: 10},
		Admin:  Admin{Listen: "127.0.0.1:8080"},
		Telnyx: Telnyx{URL: "https://api.telnyx.com/v2"},
		Log:    Log{Level: slog.LevelInfo, Format: "text"},

		file:  file,
		lines: make(map[string]int),
	}
}
