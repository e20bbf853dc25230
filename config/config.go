// Package config reads the daemon's YAML file into one complete, checked value.
//
// Every key has a default, so a file holds only what differs:
//
//	sip:      {listen, advertise, allow, workers, preloaded_routes, max_calls, max_connections, source_connections,
//	          source_rate, route_key_file}
//	tls:      {certificate, key, ca, wildcards}
//	catalog:  {file | postgres}
//	codecs:   "PCMU,PCMA"
//	numbers:  {international_prefixes}
//	budgets:  {no_reply, no_ringing, answer, setup, max_attempts}
//	failover: {preset, rules: [{code, cause, reason, header, then, for, as}], next, after_ringing}
//	drain:    30s
//	health:   {interval, timeout, down_after, up_after, failures, quality: {min_samples, margin}}
//	calls:    {keep, file, max_size, max_files}
//	admin:    {listen, tokens: [{name, sha256, permission}], users: [{name, password, permission}]}
//	telnyx:   {url, sip_fqdn}
//	log:      {level, format}
//
// Reading names all that is wrong, each with its line, the path of the key, the value and the rule it breaks; it
// does not stop at the first. Values of secret keys are never repeated.
package config

import (
	"log/slog"
	"net/netip"
	"time"
)

// Config is what the daemon's file says, complete with defaults.
type Config struct {
	SIP      SIP
	TLS      TLS
	Catalog  Catalog
	Codecs   string // For providers without a list of their own; "" leaves the offer alone.
	Numbers  Numbers
	Budgets  Budgets
	Failover Failover
	Drain    time.Duration // How long a termination waits for calls that are being set up.
	Health   Health
	Calls    Calls
	Admin    Admin
	Telnyx   Telnyx
	Log      Log

	file  string
	lines map[string]int // Where each key that the file holds stands, by its dotted path.
}

// SIP says where calls come in, from whom, and how many at once.
type SIP struct {
	Listen          []Listen
	Advertise       HostPort            // For Via and Record-Route when it differs from the socket; see Advertised.
	AdvertiseEach   map[string]HostPort // The same by socket, as Listen.String writes it; nil: Advertise holds for all.
	Allow           []netip.Prefix      // Sources that may place calls.
	Workers         int                 // 0: one per processor.
	PreloadedRoutes bool                // Whether an allowed source may send a Route of its own that leads beyond us.
	MaxCalls        int                 // Transactions in progress.

	MaxConnections    int // Accepted stream connections.
	SourceConnections int // Of these, from one IPv4 address or IPv6 /64.
	SourceRate        int // New requests a second from one such source; 0: no limit.

	RouteKeyFile string // Absolute. Never empty: the default is route.key beside the catalog's file.
}

// Listen is one socket that takes SIP.
type Listen struct {
	Transport string // "udp", "tcp" or "tls".
	Addr      netip.AddrPort
}

// String returns the socket as the file writes it: udp://127.0.0.1:5060.
func (l Listen) String() string { return l.Transport + "://" + l.Addr.String() }

// TLS names the files for tls:// sockets and for TLS towards providers. The paths are absolute, or empty.
type TLS struct {
	Certificate, Key, CA string

	Wildcards bool // Whether *.example.net in a provider's certificate stands for the hosts right below that domain.
}

// Catalog says where providers and routes are kept: exactly one field is set.
type Catalog struct {
	File     string // Absolute.
	Postgres string // A connection URL; it may hold a password.
}

// Numbers says how dialled strings are read.
type Numbers struct {
	InternationalPrefixes []string // Digits that stand for "+" when a route is looked for.
}

// Budgets bound the time and the tries that a call may take.
type Budgets struct {
	NoReply     time.Duration // Nothing at all came back.
	NoRinging   time.Duration // A 100 came, but no 18x.
	Answer      time.Duration // It rings, but nobody answers.
	Setup       time.Duration // The whole call until it is answered.
	MaxAttempts int           // Providers tried for one call.
}

// Failover says which replies let the next provider try: the first rule that fits decides, then the preset, then Next.
type Failover struct {
	Next         []string // Status codes and classes: "404", "5xx".
	AfterRinging bool     // Whether a 18x still allows the next provider.
	Preset       string   // The name of rules that are known for a carrier; "" for none.
	Rules        []FailoverRule
}

// FailoverRule says what a reply means. What its values may be is known to those who judge replies.
type FailoverRule struct {
	Code   string // A status code, a class or a range; "" for any.
	Cause  int    // Of Q.850, in a Reason header; 0 for any.
	Reason string // A pattern for the reason phrase; "" for any.
	Header string // Whose value the pattern is for instead.
	Then   string
	For    time.Duration // 0: the default.
	As     string        // What it is counted as; "": as its code.
}

// Health says how providers are probed by OPTIONS, and what their calls tell of them.
type Health struct {
	Interval  time.Duration // 0 turns probing off.
	Timeout   time.Duration
	DownAfter int // Probes lost in a row.
	UpAfter   int // Probes answered in a row.
	Failures  int // Calls that fail in a row put a provider behind the others; 0 never does.
	Quality   Quality
}

// Quality says when a provider goes behind others of its priority because more of its calls fail.
type Quality struct {
	MinSamples int // Calls in five minutes, of it and of a better one; 0 turns the order off.
	Margin     int // Percentage points that it must be worse by for certain.
}

// Calls says what is kept of calls that have ended being set up.
type Calls struct {
	Keep     int    // How many of the last ones the API tells of; 0: none.
	File     string // Absolute; gets a line of JSON for each call. "" for none.
	MaxSize  int64  // Bytes after which a new file is begun; 0: never.
	MaxFiles int    // How many full files are kept beside the one that is written.
}

// Admin is the HTTP side.
type Admin struct {
	Listen string // host:port, "" for none.
	TLS    AdminTLS
	Tokens []Token
	Users  []User
}

// AdminTLS names the files with which the HTTP side speaks TLS; both are empty where it does not. The paths are absolute.
type AdminTLS struct {
	Certificate, Key string
}

// Token is an API token, known by its hash only.
type Token struct {
	Name       string
	SHA256     [32]byte
	Permission string // One of Permissions.
}

// User is somebody who may log in.
type User struct {
	Name       string
	Password   string // An argon2id hash in PHC form: $argon2id$v=19$m=...,t=...,p=...$salt$hash.
	Permission string // One of Permissions.
}

// What a token or a user may do.
const (
	PermissionSuperAdmin = "ProjectSuperAdmin" // Everything; what is meant where a token or user says nothing.
	PermissionViewer     = "ProjectViewer"     // Read, and plan calls.
)

// Permissions returns all values of a permission, the default first.
func Permissions() []string { return []string{PermissionSuperAdmin, PermissionViewer} }

// Telnyx is what setting up a provider there needs.
type Telnyx struct {
	URL     string
	SIPFQDN HostPort // Our own name, to which Telnyx sends calls; zero when it is not configured.
}

// Log says what is logged and how it looks.
type Log struct {
	Level  slog.Level
	Format string // "text" or "json".
}

// Problem says what is wrong with key, a dotted path such as "codecs" or "sip.listen[1]", at the line where the
// file holds it or the nearest key around it. It is for checks that need knowledge beyond this package.
func (c *Config) Problem(key, message string) Problem {
	return Problem{File: c.file, Line: lineOf(c.lines, key), Message: key + ": " + message}
}
