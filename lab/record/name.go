package record

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Folder is the folder of the records inside a results folder.
const Folder = "records"

// Extension ends the name of every record.
const Extension = ".csv.gz"

// FileName returns the name of the trial's file,
//
//	<scenario>.<driver>.<subject>.<seed>.b<block>.csv.gz
//
// in which scenario, driver and subject are made Safe. Different trials have
// different names.
func FileName(h *Header) (string, error) {
	if h.Scenario == "" || h.Driver == "" || h.Subject == "" {
		return "", fmt.Errorf("record: a trial needs a scenario, a driver and a subject, got %q, %q, %q",
			h.Scenario, h.Driver, h.Subject)
	}
	return fmt.Sprintf("%s%s.%d.b%d%s", prefix(h.Scenario, h.Driver), Safe(h.Subject), h.Seed, h.Block, Extension), nil
}

// Sum identifies the text of a scenario file: the beginning of its SHA-256, in hexadecimal
// digits; empty of none.
func Sum(text []byte) string {
	if len(text) == 0 {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:12])
}

// prefix begins the names of the records of a scenario and driver, and no others: what is
// Safe has no dots.
func prefix(scenario, driver string) string { return Safe(scenario) + "." + Safe(driver) + "." }

// Remove removes the records of a scenario and driver from the results folder dir. That
// there are none is no error.
func Remove(dir, scenario, driver string) error {
	folder := filepath.Join(dir, Folder)
	files, err := os.ReadDir(folder)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	for _, f := range files {
		if strings.HasPrefix(f.Name(), prefix(scenario, driver)) && strings.HasSuffix(f.Name(), Extension) {
			if err := os.Remove(filepath.Join(folder, f.Name())); err != nil {
				return fmt.Errorf("record: %w", err)
			}
		}
	}
	return nil
}

// safeLength is the longest part of a file name: three of them and the rest stay
// below the 255 bytes that file systems allow.
const safeLength = 72

// Safe returns a form of a name that can be a part of a file name on every file
// system, also one that ignores case: a to z, 0 to 9 and '-' stand for
// themselves, any other byte is '_' and its two hexadecimal digits. Names that
// would become too long end in "_x" and a hash instead. Different names have
// different forms.
func Safe(name string) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('_')
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
	if b.Len() <= safeLength {
		return b.String()
	}
	sum := sha256.Sum256([]byte(name))
	const hash = 12 // bytes: 96 bits
	cut := safeLength - len("_x") - 2*hash
	return b.String()[:cut] + "_x" + hex.EncodeToString(sum[:hash])
}
