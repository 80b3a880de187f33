package live

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// usage is what has been used up so far: by the garbage collector of this process, and of
// all processors by everybody.
type usage struct {
	gc          runtime.MemStats
	total, idle uint64 // of the processors' time, in ticks
}

func measure() (u usage) {
	runtime.ReadMemStats(&u.gc)
	if text, err := os.ReadFile("/proc/stat"); err == nil {
		u.total, u.idle = ticks(string(text))
	}
	return u
}

// ticks reads the first line of /proc/stat: the processors' time since the start of the
// machine, and how much of it they were idle (also those that waited for a disk). 0 when
// that is not what stands there.
func ticks(text string) (total, idle uint64) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, 0
	}
	// user nice system idle iowait irq softirq steal; what follows is counted in user.
	for i, field := range fields[1:9] {
		n, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			return 0, 0
		}
		total += n
		if i == 3 || i == 4 {
			idle += n
		}
	}
	return total, idle
}

// spent is what was used up between two measurements.
type spent struct {
	gc, longest time.Duration // pauses of this process for garbage collection
	busy        float64       // share of the processors' time; 0 where it is not known
}

func (u usage) since(before usage) spent {
	s := spent{gc: time.Duration(u.gc.PauseTotalNs - before.gc.PauseTotalNs)}
	// The runtime remembers the last 256 pauses.
	for n := max(before.gc.NumGC, u.gc.NumGC-min(u.gc.NumGC, uint32(len(u.gc.PauseNs)))); n < u.gc.NumGC; n++ {
		s.longest = max(s.longest, time.Duration(u.gc.PauseNs[n%uint32(len(u.gc.PauseNs))]))
	}
	if u.total > before.total {
		s.busy = 1 - float64(u.idle-before.idle)/float64(u.total-before.total)
	}
	return s
}
