package resolve

import (
	"bytes"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// localTTL is for how long a file is believed before its state is looked at again.
const localTTL = 5 * time.Second

// localFiles is what this machine says of names, kept up to date.
type localFiles struct {
	resolvConf file[*dns.ClientConfig]
	hostsFile  file[map[string][]netip.Addr]
}

func newLocalFiles(resolvConf, hosts string) *localFiles {
	l := new(localFiles)
	l.resolvConf.path, l.resolvConf.parse = resolvConf, parseResolvConf
	l.hostsFile.path, l.hostsFile.parse = hosts, parseHosts
	return l
}

func (l *localFiles) servers() []string              { return l.resolvConf.get().Servers }
func (l *localFiles) hosts() map[string][]netip.Addr { return l.hostsFile.get() }
func (l *localFiles) completions(host string) []string {
	conf := l.resolvConf.get()
	if strings.Count(host, ".") >= conf.Ndots {
		return nil
	}
	var names []string
	for _, domain := range conf.Search {
		domain = strings.ToLower(strings.Trim(domain, "."))
		if name := host + "." + domain; domain != "" && isDomain(name) {
			names = append(names, name)
		}
	}
	return names
}

// parseResolvConf reads resolv.conf(5). Without a name server there it is this machine's own.
func parseResolvConf(data []byte) *dns.ClientConfig {
	conf, err := dns.ClientConfigFromReader(bytes.NewReader(data))
	if err != nil {
		conf = &dns.ClientConfig{Ndots: 1}
	}
	if len(conf.Servers) == 0 {
		conf.Servers = []string{"127.0.0.1", "::1"}
	}
	return conf
}

// parseHosts reads hosts(5): an address and its names a line.
func parseHosts(data []byte) map[string][]netip.Addr {
	hosts := map[string][]netip.Addr{}
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		ip, err := netip.ParseAddr(fields[0])
		if err != nil {
			continue
		}
		for _, name := range fields[1:] {
			name = strings.ToLower(strings.TrimSuffix(name, "."))
			hosts[name] = append(hosts[name], ip.Unmap())
		}
	}
	return hosts
}

// file is a parsed file that is read again when it has changed. One that cannot be read counts as empty.
type file[T any] struct {
	path  string
	parse func([]byte) T

	mu      sync.Mutex
	checked time.Time
	state   os.FileInfo // As it was read; nil when it was not there.
	value   T
}

func (f *file[T]) get() T {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if first := f.checked.IsZero(); first || now.Sub(f.checked) >= localTTL {
		f.checked = now
		state, err := os.Stat(f.path)
		if err != nil {
			state = nil
		}
		if first || !sameState(state, f.state) {
			f.state = state
			data, _ := os.ReadFile(f.path)
			f.value = f.parse(data)
		}
	}
	return f.value
}

// sameState says whether a file is still the one that was read.
func sameState(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}
