package main

import (
	"bufio"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/sys/unix"
)

// What a password's hash costs: RFC 9106 section 4, second choice. A login takes a tenth of a second.
const (
	argonMemory  = 64 << 10 // KiB.
	argonTime    = 3
	argonThreads = 4
	argonSalt    = 16 // Bytes.
	argonSum     = 32 // Bytes.

	minPassword = 8    // Bytes.
	maxPassword = 1024 // Bytes.
)

// password hashes a password. It is kept nowhere; the configuration holds the hash.
func password(env environment, args []string) error {
	name, permission, err := accountFlags(env, "password", args)
	if err != nil {
		return err
	}
	fmt.Fprint(env.stderr, "password: ")
	secret, err := readPassword(os.Stdin)
	fmt.Fprintln(env.stderr)
	if err != nil {
		return err
	}
	hash, err := hashPassword(secret)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.stdout, "Put this into admin.users of the configuration:\n\n    - {name: %q, password: %q%s}\n", name, hash, permission)
	return err
}

// readPassword reads a line, which a terminal does not show.
func readPassword(f *os.File) (string, error) {
	fd := int(f.Fd())
	if shown, err := unix.IoctlGetTermios(fd, unix.TCGETS); err == nil {
		hidden := *shown
		hidden.Lflag &^= unix.ECHO
		if err := unix.IoctlSetTermios(fd, unix.TCSETS, &hidden); err != nil {
			return "", fmt.Errorf("hiding the password: %w", err)
		}
		defer func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, shown) }()
	}
	line, err := bufio.NewReader(io.LimitReader(f, maxPassword+2)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// hashPassword returns the argon2id hash of a password with a salt of its own, as the configuration holds it.
func hashPassword(secret string) (string, error) {
	if len(secret) < minPassword || len(secret) > maxPassword {
		return "", fmt.Errorf("the password is not %d to %d bytes long", minPassword, maxPassword)
	}
	salt := make([]byte, argonSalt)
	_, _ = rand.Read(salt) // Never fails (crypto/rand).
	sum := argon2.IDKey([]byte(secret), salt, argonTime, argonMemory, argonThreads, argonSum)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonThreads,
		b64.EncodeToString(salt), b64.EncodeToString(sum)), nil
}
