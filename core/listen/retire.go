package listen

// Retire stops listening, and lets those that are being greeted come in: Accept returns them
// as before, and an error after the last. It returns at once, with a channel that is
// closed then, or by Close, which cuts off whoever is left. A greeting takes no longer than
// Options.Timeout.
func (l *Listener) Retire() <-chan struct{} {
	l.retiring.Do(func() {
		close(l.leaving)
		l.socket.Close()
	})
	l.mu.Lock()
	none := l.greeters == 0
	l.mu.Unlock()
	if none {
		l.Close()
	}
	return l.done
}

// Fresh is how many connections have come in, or are being greeted, on which no answer has
// begun yet. What http.Server tells of a connection is no measure for that: it calls one
// active before it decides whether to serve its request.
func (l *Listener) Fresh() int { return int(l.fresh.Load()) }

func (l *Listener) retired() bool {
	select {
	case <-l.leaving:
		return true
	default:
		return false
	}
}

// enter counts somebody who may yet have a connection ready.
func (l *Listener) enter() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.greeters++
}

// exit is for when that is over. After the last nobody can come in any more.
func (l *Listener) exit() {
	l.mu.Lock()
	l.greeters--
	last := l.greeters == 0 && l.retired()
	l.mu.Unlock()
	if last {
		l.Close()
	}
}
