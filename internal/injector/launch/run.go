package launch

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"time"
)

// Config is the input of Run.
type Config struct {
	// Slot and Other are the names of the slots. First is true for the slot that the kubelet starts first.
	Slot, Other string
	First       bool
	// Dir is the directory of the slots, SharedMemory the one in which Envoy creates shared memory.
	Dir, SharedMemory string
	// Program is Envoy, Args its arguments apart from those of the slot.
	Program string
	Args    []string
	// AdminPort leads to the admin interface of the serving Envoy.
	AdminPort int
	Timing    Timing
	// Log gets the launcher's lines, and the output of Envoy.
	Log io.Writer
}

// Timing are the times of a launcher.
type Timing struct {
	// Poll is the interval of looking at the state.
	Poll time.Duration
	// Grace is how long the serving slot may be absent.
	Grace time.Duration
	// Handover bounds the start of an Envoy that is to take over.
	Handover time.Duration
	// Stable is for how long its configuration must be complete before it does.
	Stable time.Duration
	// Retry is the time after a failed attempt to take over. It doubles with each, up to MostRetry: what the new Envoy lacked may come.
	Retry, MostRetry time.Duration
	// LeastDrain is how long an Envoy drains at least: its count of connections is a few seconds old. MostDrain is when open connections are cut, also
	// before LeastDrain.
	LeastDrain, MostDrain time.Duration
	// Unused is for how long an Envoy that drains has no request before it ends. Idle is how long its idle connections are kept at least: pools of common HTTP
	// clients have closed theirs by then.
	Unused, Idle time.Duration
}

// DefaultTiming returns the times of a pod.
func DefaultTiming() Timing {
	return Timing{
		Poll: time.Second, Grace: 4 * time.Second, Handover: 2 * time.Minute, Stable: time.Second,
		Retry: 15 * time.Second, MostRetry: 10 * time.Minute,
		LeastDrain: 35 * time.Second, MostDrain: time.Hour, Unused: 10 * time.Second, Idle: 100 * time.Second,
	}
}

const (
	// fastPoll is the interval of looking at an Envoy that starts.
	fastPoll = 50 * time.Millisecond
	// maxCrashes within crashWindow move the role to the other slot.
	maxCrashes  = 3
	crashWindow = time.Minute
)

// launcher is the state of Run.
type launcher struct {
	Config
	state
	image Image
	// changed is as in view.
	changed bool
	role    Role
	reason  string
	envoy   *process
	gate    *gate
	relay   *relay
	// present is when a launcher was last seen in the serving slot.
	present time.Time
	// since is the start of the role; crashes are the recent ends of an Envoy that served.
	since   time.Time
	crashes []time.Time
	// unused is since when the Envoy that drains is not in use.
	unused time.Time
	// retry is when the slot may try to take over again, and pause the time until the one after.
	retry time.Time
	pause time.Duration
}

// Run runs the slot until the context ends, and then ends its Envoy. It returns an error only if the directory of the slots cannot be used.
func Run(ctx context.Context, c Config) error {
	l := &launcher{Config: c, state: state{c.Dir}, present: time.Now()}
	unlock, err := l.lock(c.Slot)
	if err != nil {
		return err
	}
	defer unlock()
	if l.image.Build, err = buildOf(c.Program); err != nil {
		l.logf("its image has no Envoy: %v", err)
	}
	last, err := l.lastBuild(c.Slot)
	if err != nil {
		return err
	}
	l.changed = l.image.Build != "" && last != l.image.Build
	// A launcher that was killed together with its Envoy removed nothing.
	ended, err := l.lastEpoch(c.Slot)
	if err != nil {
		return err
	}
	l.removeTraces(c.SharedMemory, ended)
	defer l.stop()
	for ctx.Err() == nil {
		if err := l.step(ctx); err != nil {
			l.logf("%v", err)
		}
		l.wait(ctx)
	}
	return nil
}

func (l *launcher) logf(format string, args ...any) {
	fmt.Fprintf(l.Log, "osm-launcher: "+l.Slot+": "+format+"\n", args...)
}

// wait waits for the next look at the state.
func (l *launcher) wait(ctx context.Context) {
	var exited chan struct{}
	if l.envoy != nil {
		exited = l.envoy.exited
	}
	timer := time.NewTimer(l.Timing.Poll)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-exited:
	case <-ctx.Done():
	}
}

// step does what the state asks for.
func (l *launcher) step(ctx context.Context) error {
	serving, err := l.serving()
	if err != nil {
		return err
	}
	if l.changed && serving.slot != "" && serving.image.Build == l.image.Build {
		if err := l.recordBuild(); err != nil {
			return err
		}
	}
	if l.changed && serving.slot != "" {
		if err := l.askHotRestart(); err != nil {
			l.changed = false
			return err
		}
	}
	now := time.Now()
	if serving.slot == l.Slot || l.state.present(serving.slot) {
		l.present = now
	}
	role, reason := decide(view{
		slot: l.Slot, first: l.First, image: l.image, changed: l.changed, failed: now.Before(l.retry), running: l.role,
		serving: serving, absent: now.Sub(l.present), grace: l.Timing.Grace,
	})
	if l.image.Build == "" && role != Idle {
		role, reason = Idle, "its image has no Envoy"
	}
	if role != l.role || reason != l.reason {
		l.logf("%s: %s", role, reason)
		l.reason = reason
	}
	if role != l.role {
		l.role, l.since, l.unused = role, now, time.Time{}
		if role == Idle || role == Serve && l.envoy != nil {
			l.stop()
		}
	}
	switch role {
	case Serve:
		return l.serve(ctx, serving)
	case Handover:
		return l.handOver(ctx, serving)
	case Drain:
		l.drainEnvoy(now)
	}
	return nil
}

// askHotRestart learns the version of the protocol from Envoy, once it matters.
func (l *launcher) askHotRestart() (err error) {
	if l.image.HotRestart == "" {
		l.image.HotRestart, err = hotRestartOf(l.Program)
	}
	return err
}

// recordBuild records the image of the slot, which has served or needs not to: it does not take over again after a restart.
func (l *launcher) recordBuild() error {
	l.changed = false
	last, err := l.lastBuild(l.Slot)
	if err != nil || last == l.image.Build {
		return err
	}
	return l.setLastBuild(l.Slot, l.image.Build)
}

// stop ends the Envoy of the slot.
func (l *launcher) stop() {
	if l.envoy != nil {
		l.envoy.end()
		l.removeTraces(l.SharedMemory, l.envoy.epoch)
		l.envoy = nil
	}
	if l.gate != nil {
		l.gate.close()
		l.gate = nil
	}
	if l.relay != nil {
		l.relay.close()
		l.relay = nil
	}
	debug.FreeOSMemory()
}

// serve keeps an Envoy running.
func (l *launcher) serve(ctx context.Context, serving record) error {
	if l.envoy != nil && l.envoy.ended() {
		l.logf("Envoy %d ended: %v", l.envoy.epoch, l.envoy.err)
		l.stop()
		if l.crashed(serving) {
			return nil
		}
	}
	if l.envoy != nil {
		return nil
	}
	if err := l.askHotRestart(); err != nil {
		return err
	}
	epoch, err := l.nextEpoch(l.Slot)
	if err != nil {
		return err
	}
	next := record{slot: l.Slot, image: l.image, epoch: epoch}
	if claimed, err := l.claim(serving, next); err != nil || !claimed {
		return err
	}
	if err := l.recordBuild(); err != nil {
		return err
	}
	if err := l.start(epoch, 0); err != nil {
		return err
	}
	l.gate.open()
	for !l.envoy.admin.live() {
		if ctx.Err() != nil || l.envoy.ended() {
			return nil
		}
		time.Sleep(fastPoll)
	}
	l.logf("Envoy %d serves", epoch)
	ready := next
	ready.ready = true
	_, err = l.claim(next, ready)
	return err
}

// crashed counts the end of an Envoy that served, and reports whether the other slot serves instead.
func (l *launcher) crashed(serving record) bool {
	now := time.Now()
	l.crashes = append(slices.DeleteFunc(l.crashes, func(at time.Time) bool { return now.Sub(at) > crashWindow }), now)
	if len(l.crashes) < maxCrashes || !l.state.present(l.Other) {
		time.Sleep(time.Duration(min(len(l.crashes)-1, maxCrashes)) * crashDelay)
		return false
	}
	l.crashes = nil
	claimed, err := l.claim(serving, record{slot: l.Other, epoch: serving.epoch, image: Image{Build: "unknown", HotRestart: "unknown"}})
	return err == nil && claimed
}

// crashDelay grows with each crash.
const crashDelay = 300 * time.Millisecond

// start starts an Envoy behind a closed gate.
func (l *launcher) start(epoch, restart int) error {
	gatePath, adminPath := l.path(l.Slot+".gate"), l.path(l.Slot+".admin")
	g, err := newGate(gatePath)
	if err != nil {
		return err
	}
	l.gate = g
	args := slices.Concat(l.Args, []string{"--config-yaml", overlay(l.Slot, epoch, l.AdminPort, adminPath, gatePath, hasInclusions(l.Args))}, l.hotRestartArgs(hotPrefix, epoch, restart))
	l.envoy, err = startEnvoy(l.Program, args, l.Log, epoch, admin(adminPath))
	return err
}

// drainEnvoy ends an Envoy whose connections have ended or have had their time.
func (l *launcher) drainEnvoy(now time.Time) {
	if l.envoy == nil {
		l.role = Idle
		return
	}
	lasted := now.Sub(l.since)
	if lasted < min(l.Timing.LeastDrain, l.Timing.MostDrain) && !l.envoy.ended() {
		return
	}
	use, err := l.envoy.admin.use()
	switch {
	case use.busy || err != nil:
		l.unused = time.Time{}
	case l.unused.IsZero():
		l.unused = now
	}
	switch {
	case l.envoy.ended():
		l.logf("Envoy %d ended while it drained: %v", l.envoy.epoch, l.envoy.err)
	case lasted >= l.Timing.MostDrain:
		l.logf("Envoy %d has drained for %s: %d connections are cut (%s)", l.envoy.epoch, l.Timing.MostDrain, use.open, l.envoy.admin.openListeners())
	case !l.unused.IsZero() && now.Sub(l.unused) >= l.Timing.Unused && (use.idle == 0 || lasted >= l.Timing.Idle):
		l.logf("Envoy %d has drained, with %d idle connections", l.envoy.epoch, use.idle)
	default:
		return
	}
	l.stop()
	l.role = Idle
}
