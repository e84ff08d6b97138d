package launch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// fetchTimeout is a little less than the time for which Envoy waits for routes, endpoints and secrets.
const fetchTimeout = 14 * time.Second

// handOver starts an Envoy that gets the sockets of the serving one. If that fails, nothing has changed.
func (l *launcher) handOver(ctx context.Context, serving record) error {
	next, err := l.tryHandOver(ctx, serving)
	if err != nil {
		l.stop()
		l.pause = min(max(2*l.pause, l.Timing.Retry), l.Timing.MostRetry)
		l.role, l.retry = Idle, time.Now().Add(l.pause)
		return fmt.Errorf("the Envoy of this slot did not take over, the other one still serves: %w", err)
	}
	l.logf("Envoy %d serves", next.epoch)
	l.role, l.since = Serve, time.Now()
	return l.recordBuild()
}

func (l *launcher) tryHandOver(ctx context.Context, serving record) (record, error) {
	started := time.Now()
	epoch, err := l.nextEpoch(l.Slot)
	if err != nil {
		return record{}, err
	}
	if err := l.seed(l.Program, l.Log, epoch); err != nil {
		return record{}, err
	}
	next := record{slot: l.Slot, image: l.image, epoch: epoch, restart: 1, ready: true}
	l.relay, err = newRelay(l.state, serving, epoch, func() error {
		claimed, err := l.claim(serving, next)
		if err == nil && !claimed {
			err = errors.New("the serving slot changed meanwhile")
		}
		return err
	})
	if err != nil {
		return next, err
	}
	if err := l.start(epoch, 1); err != nil {
		return next, err
	}
	ctx, cancel := context.WithTimeout(ctx, l.Timing.Handover)
	defer cancel()
	if err := l.awaitConfiguration(ctx, serving); err != nil {
		return next, err
	}
	complete := time.Now()
	l.gate.open()
	select {
	case err := <-l.relay.result:
		l.logf("Envoy %d had its configuration after %s, and handed over within %s", epoch, complete.Sub(started).Round(time.Millisecond), time.Since(complete).Round(time.Millisecond))
		return next, err
	case <-l.envoy.exited:
		return next, fmt.Errorf("it ended: %w", l.envoy.err)
	case <-ctx.Done():
		return next, errors.New("its workers did not start")
	}
}

// awaitConfiguration returns once the configuration of the Envoy is complete and stays so.
func (l *launcher) awaitConfiguration(ctx context.Context, serving record) error {
	missing, connected, complete := "", time.Time{}, time.Time{}
	for {
		if l.envoy.ended() {
			return fmt.Errorf("it ended: %w", l.envoy.err)
		}
		if now, err := l.serving(); err != nil || now != serving {
			return errors.Join(errors.New("the serving slot changed meanwhile"), err)
		}
		now := time.Now()
		if connected.IsZero() && l.envoy.admin.connected() {
			connected = now
		}
		switch missing = l.envoy.admin.missing(); {
		case missing != "":
			complete = time.Time{}
		case complete.IsZero() && now.Sub(connected) > fetchTimeout:
			return fmt.Errorf("the control plane needed more than %s, after which Envoy goes on without what it has not received", fetchTimeout)
		case complete.IsZero():
			complete = now
		}
		if missing == "" && now.Sub(complete) >= l.Timing.Stable {
			return nil
		}
		select {
		case err := <-l.relay.result:
			return err
		case <-ctx.Done():
			return fmt.Errorf("it still waited for %s", missing)
		case <-time.After(fastPoll):
		}
	}
}

// readyPath is where the sidecar answers once it has accepted its first configuration.
const readyPath = "/ready"

// Wait returns once one of the slots of the pod serves.
func Wait(ctx context.Context) error {
	return waitFor(ctx, net.JoinHostPort("127.0.0.1", strconv.Itoa(names.ReadyPort)), time.Second/4)
}

func waitFor(ctx context.Context, address string, poll time.Duration) error {
	for {
		if status, _, err := get("tcp", address, readyPath); err == nil && status == 200 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the sidecar has not become ready: %w", ctx.Err())
		case <-time.After(poll):
		}
	}
}
