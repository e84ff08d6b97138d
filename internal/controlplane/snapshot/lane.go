package snapshot

import (
	"time"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/timeshare"
)

// A stream may need a scope that must be built first. Whoever owns a pod chooses by its labels which one, so one pod alone can keep the Store's goroutine busy.
// So scopes of streams are built one at a time, after all changes that are queued, for the namespace that has used the least time. Other namespaces then wait
// for one scope of it at most.

// leastMove is how much time a namespace may have used before its connected streams wait for their new scopes too.
const leastMove = 500 * time.Millisecond

// buildLane has the streams that wait for a scope. It belongs to the Store's goroutine.
type buildLane struct {
	shares *timeshare.Shares
	// jobs are those of each namespace, in order of their arrival. queued has their owners, and arrived counts them.
	jobs    map[string][]buildJob
	queued  map[any]bool
	arrived int
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

// take removes the first job of the namespace that has used the least time; of several, the one that arrived first. It is false if there is none.
func (l *buildLane) take(now time.Time) (buildJob, bool) {
	var best buildJob
	least, found := time.Duration(0), false
	for namespace, jobs := range l.jobs {
		used := l.shares.Used(namespace, now)
		if !found || used < least || used == least && jobs[0].number < best.number {
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

// buildLater builds a scope when it is the turn of its namespace.
func (s *Store) buildLater(owner any, namespace string, do func()) {
	if s.lane.add(buildJob{owner: owner, namespace: namespace, do: do}) {
		s.run(s.buildNext)
	}
}

// buildNext does the job whose turn it is, as a batch of its own: policies of other namespaces are applied while a large scope is translated. Everything
// that was queued meanwhile comes before the next job.
func (s *Store) buildNext() {
	now := s.config.Now()
	job, found := s.lane.take(now)
	if !found {
		return
	}
	s.running.begin(&runningBatch{turnBegan: now})
	s.charged(job.namespace, job.do)
	s.endRunning()
}

// charged does something for a namespace, and counts the time without the batches that have interrupted it.
func (s *Store) charged(namespace string, do func()) {
	began, others := s.config.Now(), s.running.others
	do()
	now := s.config.Now()
	s.lane.shares.Charge(namespace, now.Sub(began)-(s.running.others-others), now)
}
