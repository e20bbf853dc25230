//go:build linux

// Package host runs programs under measurement and reads what the kernel says of them.
//
//	/proc/PID/stat           CPU time, by session: a proxy and all its children
//	/proc/PID/smaps_rollup   memory, shared pages counted once (PSS)
//	/proc/stat               what else used the processors
//	/proc/net/snmp           datagrams that the kernel dropped
//
// A program under measurement gets a session of its own, so that no child escapes the count or the end.
package host

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of CPU times in /proc: USER_HZ, which is 100 on all Linux architectures of today.
const clockTick = 10 * time.Millisecond

// Usage is the CPU time that a session has used: its living processes, and the children that they have waited for.
type Usage struct {
	User      time.Duration
	System    time.Duration
	Processes int
}

// Total returns user and system time together.
func (u Usage) Total() time.Duration { return u.User + u.System }

// Sub returns what was used since an earlier reading.
func (u Usage) Sub(earlier Usage) Usage {
	return Usage{User: u.User - earlier.User, System: u.System - earlier.System, Processes: u.Processes}
}

// SessionUsage adds up the CPU time of a session.
func SessionUsage(session int) (Usage, error) {
	var sum Usage
	err := eachProcess(func(s procStat) error {
		if s.session == session {
			sum.User += s.user
			sum.System += s.system
			if s.state != 'Z' {
				sum.Processes++
			}
		}
		return nil
	})
	return sum, err
}

// Memory is how much memory the processes of a session occupy, in bytes.
type Memory struct {
	PSS int64 `json:"pss"` // Shared pages are split among those who share them.
	RSS int64 `json:"rss"` // Shared pages count once per process.
}

// SessionMemory adds up the memory of a session. It costs the kernel a walk through all its pages.
func SessionMemory(session int) (Memory, error) {
	var sum Memory
	err := eachProcess(func(s procStat) error {
		if s.session != session || s.state == 'Z' {
			return nil
		}
		text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.pid), "smaps_rollup"))
		if gone(err) {
			return nil
		}
		if err != nil {
			return err
		}
		m := parseSmaps(text)
		sum.PSS += m.PSS
		sum.RSS += m.RSS
		return nil
	})
	return sum, err
}

// gone tells whether reading a file of /proc failed because its process has ended.
func gone(err error) bool {
	return errors.Is(err, os.ErrNotExist) || err != nil && strings.Contains(err.Error(), "no such process")
}

func eachProcess(visit func(procStat) error) error {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return fmt.Errorf("listing processes: %w", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if gone(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("listing processes: %w", err)
		}
		s, err := parseStat(text)
		if err != nil {
			return fmt.Errorf("reading %s: %w", file, err)
		}
		if err := visit(s); err != nil {
			return fmt.Errorf("reading processes: %w", err)
		}
	}
	return nil
}

// procStat is what matters of /proc/PID/stat (proc_pid_stat(5)).
type procStat struct {
	pid          int
	state        byte
	session      int
	user, system time.Duration
}

func parseStat(text []byte) (procStat, error) {
	// The name stands in parentheses and may itself hold spaces and parentheses.
	end := bytes.LastIndexByte(text, ')')
	pid, _, _ := strings.Cut(string(text), " ")
	f := strings.Fields(string(text[end+1:]))
	if end < 0 || len(f) < 15 {
		return procStat{}, fmt.Errorf("unknown format %q", text)
	}
	var errs []error
	number := func(s string) int64 {
		n, err := strconv.ParseInt(s, 10, 64)
		errs = append(errs, err)
		return n
	}
	s := procStat{
		pid:     int(number(pid)),
		state:   f[0][0],
		session: int(number(f[3])),
		user:    time.Duration(number(f[11])+number(f[13])) * clockTick,
		system:  time.Duration(number(f[12])+number(f[14])) * clockTick,
	}
	return s, errors.Join(errs...)
}

func parseSmaps(text []byte) Memory {
	var m Memory
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 3 || f[2] != "kB" {
			continue
		}
		n, _ := strconv.ParseInt(f[1], 10, 64)
		switch f[0] {
		case "Pss:":
			m.PSS = n << 10
		case "Rss:":
			m.RSS = n << 10
		}
	}
	return m
}
