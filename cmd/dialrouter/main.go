// Command dialrouter is the SIP router that carries a platform's outgoing calls to its carriers.
//
// Exit codes: 0 done, 1 the work failed, 2 the command line is wrong.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

// version is set by the linker.
var version = "unknown"

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// command is one subcommand.
type command struct {
	name, args, help string
	run              func(env environment, args []string) error
}

// environment is what a command reads from and writes to.
type environment struct {
	stdout, stderr io.Writer
	lookup         func(string) (string, bool)
}

func commands() []command {
	return []command{
		{"serve", "--config FILE", "carry calls until SIGTERM or SIGINT", serve},
		{"check", "--config FILE", "say every problem of the configuration", check},
		{"plan", "--config FILE [--customer UUID] [--sdp FILE] [--json] NUMBER", "say what would become of a call", plan},
		{"import", "--config FILE [--dry-run] FILE|URL...", "take in what VoIPBIN's API lists", importCatalog},
		{"token", "[--permission P] NAME", "make an API token", token},
		{"password", "[--permission P] NAME", "hash a password, read from the terminal, for a user of the API", password},
		{"version", "", "print the version", printVersion},
	}
}

func main() {
	os.Exit(run(environment{os.Stdout, os.Stderr, os.LookupEnv}, os.Args[1:]))
}

// errUsage marks an error of the command line.
var errUsage = errors.New("usage")

// errSaid is a failure of which everything was said already.
var errSaid = errors.New("failed")

// run carries out one command and returns the exit code.
func run(env environment, args []string) int {
	if len(args) == 0 {
		usage(env.stderr)
		return exitUsage
	}
	if args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		usage(env.stdout)
		return exitDone
	}
	for _, c := range commands() {
		if c.name != args[0] {
			continue
		}
		err := c.run(env, args[1:])
		switch {
		case err == nil, errors.Is(err, flag.ErrHelp):
			return exitDone
		case errors.Is(err, errUsage):
			fmt.Fprintf(env.stderr, "%v\nusage: dialrouter %s %s\n", err, c.name, c.args)
			return exitUsage
		case errors.Is(err, errSaid):
			return exitFailed
		default:
			fmt.Fprintf(env.stderr, "dialrouter %s: %v\n", c.name, err)
			return exitFailed
		}
	}
	fmt.Fprintf(env.stderr, "dialrouter: there is no command %q\n", args[0])
	usage(env.stderr)
	return exitUsage
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "usage:")
	for _, c := range commands() {
		line := strings.TrimSpace(c.name + " " + c.args)
		fmt.Fprintf(w, "  dialrouter %-76s %s\n", line, c.help)
	}
}

// flags makes a flag set whose errors are errUsage, and parses. Flags may stand before and behind the other arguments.
func flags(env environment, name string, args []string, define func(*flag.FlagSet)) ([]string, error) {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(env.stderr)
	fs.Usage = func() {}
	define(fs)
	var rest []string
	for {
		if err := fs.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				usage(env.stdout)
				return nil, err
			}
			return nil, fmt.Errorf("%w: %s", errUsage, err.Error())
		}
		args = fs.Args()
		if len(args) == 0 {
			return rest, nil
		}
		rest = append(rest, args[0])
		args = args[1:]
	}
}

func printVersion(env environment, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%w: version takes no arguments", errUsage)
	}
	_, err := fmt.Fprintln(env.stdout, "dialrouter", version)
	return err
}
