package serve

import (
	"crypto/sha256"
	"encoding/binary"
	"os"

	"github.com/evenkeel/evenkeel/core/config"
)

// fingerprint tells whether the files that a pool's connections are secured with are what
// they were: it is the same for the same contents. The zero value stands for no files, and
// for some that cannot be read, of which whoever needs them is told.
type fingerprint [sha256.Size]byte

func fingerprintOf(t *config.UpstreamTLS) (f fingerprint) {
	if t == nil {
		return f
	}
	all := sha256.New()
	for _, name := range []string{t.CAFile, t.CertFile, t.KeyFile} {
		if name == "" {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return fingerprint{}
		}
		all.Write(binary.BigEndian.AppendUint64(nil, uint64(len(text))))
		all.Write(text)
	}
	return fingerprint(all.Sum(nil))
}
