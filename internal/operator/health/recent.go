package health

import (
	"sync"
	"time"
)

const (
	// cheap is how long an observation may take without being used again.
	cheap = 50 * time.Millisecond
	// share is the part of the time that may be spent on observations: one in share.
	share = 10
	// maxAge is how long an observation is used at most. Gates are evaluated that often without events.
	maxAge = 2 * time.Second
)

// recent keeps observations that took long. The reports of 10,000 sidecars have 8 MB, and during an upgrade each event of a pod would read them again.
// The zero value is ready for use.
type recent struct {
	mu           sync.Mutex
	observations map[string]aged
}

// aged is an observation, and until when it is used.
type aged struct {
	Observation
	until time.Time
}

// find returns an observation that may be used again. The caller must not change it.
func (r *recent) find(key string, now time.Time) (Observation, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	last, found := r.observations[key]
	return last.Observation, found && now.Before(last.until)
}

// keep keeps an observation that took a time, if that was long.
func (r *recent) keep(key string, o Observation, took time.Duration, now time.Time) {
	if took <= cheap {
		return
	}
	age := min(share*took, maxAge)
	kept := aged{o, now.Add(age)}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.observations == nil {
		r.observations = map[string]aged{}
	}
	r.observations[key] = kept
	time.AfterFunc(age, func() { r.forget(key, kept.until) })
}

// forget removes an observation, unless a later one has replaced it.
func (r *recent) forget(key string, until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.observations[key].until.Equal(until) {
		delete(r.observations, key)
	}
}
