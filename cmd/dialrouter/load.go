package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/voipbin/dialrouter/config"
	"github.com/voipbin/dialrouter/providers"
	"github.com/voipbin/dialrouter/providers/filestore"
	dialrouter "github.com/voipbin/dialrouter/router"
	"github.com/voipbin/dialrouter/router/resolve"
)

// configFlag defines --config.
func configFlag(fs *flag.FlagSet, path *string) {
	fs.StringVar(path, "config", "", "the daemon's YAML file")
}

// loadConfig reads the configuration with what the environment adds. Every problem is printed.
func loadConfig(env environment, path string) (*config.Config, error) {
	if path == "" {
		return nil, fmt.Errorf("%w: --config FILE is missing", errUsage)
	}
	cfg, problems := config.Load(path)
	if cfg != nil {
		problems = append(problems, cfg.ApplyEnvironment(env.lookup)...)
		problems = append(problems, more(cfg)...)
	}
	for _, p := range problems {
		fmt.Fprintln(env.stderr, p)
	}
	if len(problems) > 0 {
		return nil, errSaid
	}
	return cfg, nil
}

// more checks what the config package has no knowledge of.
func more(cfg *config.Config) []config.Problem {
	var problems []config.Problem
	if err := providers.ValidateCodecs(cfg.Codecs); err != nil {
		problems = append(problems, cfg.Problem("codecs", err.Error()))
	}
	for _, e := range dialrouter.CheckFailover(&cfg.Failover) {
		problems = append(problems, cfg.Problem(e.Field, strings.TrimPrefix(e.Error(), e.Field+": ")))
	}
	if files := cfg.Admin.TLS; files.Certificate != "" {
		if _, err := tls.LoadX509KeyPair(files.Certificate, files.Key); err != nil {
			problems = append(problems, cfg.Problem("admin.tls", err.Error()))
		}
	}
	return problems
}

// loadBoth reads the configuration and the catalog that it names. One that is not of today, because its database is
// away, will do.
func loadBoth(env environment, path string) (*config.Config, *providers.Catalog, error) {
	cfg, err := loadConfig(env, path)
	if err != nil {
		return nil, nil, err
	}
	cat, err := readCatalog(env, cfg, path)
	if cat == nil {
		return nil, nil, err
	}
	return cfg, cat, nil
}

// check says every problem of the configuration and the catalog.
func check(env environment, args []string) error {
	var path string
	rest, err := flags(env, "check", args, func(fs *flag.FlagSet) { configFlag(fs, &path) })
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w: unexpected argument %q", errUsage, rest[0])
	}
	// What is wrong is this command's result, and not a mishap of it. Both files are read, so that one look shows all
	// there is to mend.
	env.stderr = env.stdout
	cfg, cerr := loadConfig(env, path)
	if cfg == nil {
		if c, _ := config.Load(path); c != nil && c.Catalog.File != "" {
			_, problems := filestore.Load(c.Catalog.File)
			for _, p := range problems {
				fmt.Fprintln(env.stderr, p)
			}
		}
		return cerr
	}
	faults := dialrouter.FileFaults(cfg)
	for _, key := range slices.Sorted(maps.Keys(faults)) {
		fmt.Fprintln(env.stdout, cfg.Problem(key, faults[key].Error()))
	}
	cat, err := readCatalog(env, cfg, path)
	if err != nil {
		return err
	}
	if len(faults) > 0 {
		return errSaid
	}
	nothing := func(resolve.Query) ([]resolve.Target, error) { return nil, nil }
	if _, err := dialrouter.Check(cfg, cat, nothing); err != nil {
		return err
	}
	sayUnreached(env, cfg, cat)
	fmt.Fprintf(env.stdout, "%s: no problems; %d providers, %d routes\n", path, len(cat.Providers), len(cat.Routes))
	return nil
}
