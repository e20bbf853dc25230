package main

import (
	"cmp"
	"crypto/tls"
	"flag"
	"fmt"
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
	sayByLine(env, problems)
	if len(problems) > 0 {
		return nil, errSaid
	}
	return cfg, nil
}

// sayByLine prints problems in the order of their lines.
func sayByLine(env environment, problems []config.Problem) {
	slices.SortFunc(problems, func(a, b config.Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), strings.Compare(a.Message, b.Message))
	})
	for _, p := range problems {
		fmt.Fprintln(env.stderr, p)
	}
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

// loadWhole reads the configuration, looks at the files that it leads to, and reads the catalog if that is a file. Every
// problem of all of them is printed, so that one look shows all there is to mend.
func loadWhole(env environment, path string) (*config.Config, *providers.Catalog, error) {
	cfg, err := loadConfig(env, path)
	if err != nil {
		if broken, _ := config.Load(path); broken != nil && broken.Catalog.File != "" {
			_, problems := filestore.Load(broken.Catalog.File)
			for _, p := range problems {
				fmt.Fprintln(env.stderr, p)
			}
		}
		return nil, nil, err
	}
	var faults []config.Problem
	for key, fault := range dialrouter.FileFaults(cfg) {
		faults = append(faults, cfg.Problem(key, fault.Error()))
	}
	if sayByLine(env, faults); len(faults) > 0 {
		err = errSaid
	}
	var cat *providers.Catalog
	if cfg.Catalog.Postgres == "" {
		var unread error
		cat, unread = readCatalog(env, cfg, path)
		err = cmp.Or(err, unread)
	}
	return cfg, cat, err
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
	env.stderr = env.stdout // What is wrong is this command's result, and not a mishap of it.
	cfg, cat, err := loadWhole(env, path)
	if err == nil && cat == nil {
		cat, err = readCatalog(env, cfg, path)
	}
	if err != nil {
		return err
	}
	nothing := func(resolve.Query) ([]resolve.Target, error) { return nil, nil }
	if _, err := dialrouter.Check(cfg, cat, nothing); err != nil {
		return err
	}
	sayUnreached(env, cfg, cat)
	fmt.Fprintf(env.stdout, "%s: no problems; %d providers, %d routes\n", path, len(cat.Providers), len(cat.Routes))
	return nil
}
