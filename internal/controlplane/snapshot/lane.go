package snapshot

import (
	"maps"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/timeshare"
)

// A stream may need a scope that must be built first. Whoever owns a pod chooses by its labels which one, so one pod alone can keep the Store's goroutine busy.
// So scopes of streams are built one at a time, after all changes that are queued, for the namespace that has used the least time. Other namespaces then wait
// for one scope of it at most. A namespace that has used its share of the time waits, even if no other one needs the time.

// leastMove is how much time a namespace may have used before its connected streams wait for their new scopes too.
const leastMove = 500 * time.Millisecond

// startupPeriod is for how long after the initial sync no stream waits because of the time that its namespace has used: all sidecars connect then.
const startupPeriod = 2 * time.Minute

// buildLane has the streams that wait for a scope. It belongs to the Store's goroutine.
type buildLane struct {
	shares *timeshare.Shares
	// jobs are those of each namespace, in order of their arrival. queued has their owners, and arrived counts them.
	jobs    map[string][]buildJob
	queued  map[any]bool
	arrived int
	// commands counts the queued calls of buildNext, and isTimed is true while a timer will make another one.
	commands int
	isTimed  bool
	// logged is when a wait was logged.
	logged time.Time
}

// buildJob builds the scope of a stream and binds it.
type buildJob struct {
	// owner is the stream, connected or not. It has one job at most.
	owner     any
	namespace string
	do        func()
	number    int
}

func newBuildLane() buildLane {
	return buildLane{
		shares: timeshare.New(timeshare.Limits{Burst: changesBurst, Percent: changesPercent, MaxWait: changesWait}),
		jobs:   map[string][]buildJob{}, queued: map[any]bool{},
	}
}

// add adds a job, and reports whether it is a new one.
func (l *buildLane) add(job buildJob) bool {
	if l.queued[job.owner] {
		return false
	}
	l.queued[job.owner] = true
	job.number = l.arrived
	l.arrived++
	l.jobs[job.namespace] = append(l.jobs[job.namespace], job)
	return true
}

// take removes the first job of the namespace that has used the least time; of several, the one that arrived first. It is false if there is none, or if all
// namespaces have to wait. mayWait reports whether a namespace has to, once it has used its share.
func (l *buildLane) take(now time.Time, mayWait func(string) bool) (buildJob, bool) {
	var best buildJob
	least, found := time.Duration(0), false
	for namespace, jobs := range l.jobs {
		used := l.shares.Used(namespace, now)
		isNext := !found || used < least || used == least && jobs[0].number < best.number
		if isNext && (l.shares.Wait(namespace, now) == 0 || !mayWait(namespace)) {
			best, least, found = jobs[0], used, true
		}
	}
	if !found {
		return buildJob{}, false
	}
	delete(l.queued, best.owner)
	if l.jobs[best.namespace] = l.jobs[best.namespace][1:]; len(l.jobs[best.namespace]) == 0 {
		delete(l.jobs, best.namespace)
	}
	return best, true
}

// wait returns how long the first namespace with a job has to wait; 0 if there is one that does not.
func (l *buildLane) wait(now time.Time, mayWait func(string) bool) time.Duration {
	shortest := changesWait
	for namespace := range l.jobs {
		if !mayWait(namespace) {
			return 0
		}
		shortest = min(shortest, l.shares.Wait(namespace, now))
	}
	return shortest
}

// buildLater builds a scope when it is the turn of its namespace.
func (s *Store) buildLater(owner any, namespace string, do func()) {
	if s.lane.add(buildJob{owner: owner, namespace: namespace, do: do}) {
		s.lane.commands++
		s.run(s.buildNext)
	}
}

// buildNext does the job whose turn it is, as a batch of its own: policies of other namespaces are applied while a large scope is translated. Everything
// that was queued meanwhile comes before the next job.
func (s *Store) buildNext() {
	s.lane.commands = max(s.lane.commands-1, 0)
	now := s.config.Now()
	if job, found := s.lane.take(now, s.mayWait); found {
		s.running.begin(&runningBatch{turnBegan: now})
		s.charged(job.namespace, job.do)
		s.endRunning()
	}
	s.scheduleRest()
}

// mayWait reports whether a namespace waits once it has used its share. All sidecars connect when the control plane starts, and what the mesh itself runs is
// needed by all.
func (s *Store) mayWait(namespace string) bool {
	return s.config.Now().Sub(s.syncedAt) >= startupPeriod && namespace != s.catalog.View().Settings().Namespace
}

// scheduleRest lets the jobs be done that no queued call of buildNext will do, because their namespaces had to wait.
func (s *Store) scheduleRest() {
	l := &s.lane
	if len(l.queued) <= l.commands {
		return
	}
	wait := l.wait(s.config.Now(), s.mayWait)
	switch {
	case wait == 0:
		l.commands++
		s.run(s.buildNext)
	case !l.isTimed:
		l.isTimed = true
		s.logWait()
		s.runAfter(wait, func() {
			l.isTimed = false
			s.buildNext()
		})
	}
}

// logWait logs the namespaces that wait, once a minute.
func (s *Store) logWait() {
	l, now := &s.lane, s.config.Now()
	if now.Sub(l.logged) < watchTime {
		return
	}
	l.logged = now
	s.config.Log.Info("Sidecars wait for their configuration, because that of others of their namespaces took long",
		"namespaces", slices.Sorted(maps.Keys(l.jobs)))
}

// charged does something for a namespace, and counts the time without the batches that have interrupted it.
func (s *Store) charged(namespace string, do func()) {
	began, others := s.config.Now(), s.running.others
	do()
	now := s.config.Now()
	s.lane.shares.Charge(namespace, now.Sub(began)-(s.running.others-others), now)
}
