package main

import (
	"crypto/tls"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/fleet"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/server"
)

const (
	// timeout and timeoutEach, for each sidecar, limit waiting for sidecars to receive their resources.
	timeout, timeoutEach = time.Minute, time.Second / 2
	// quiet is the idle time after which a restart is complete.
	quiet = 500 * time.Millisecond
	// idleShare is the CPU usage of one core below which a server is idle; queries of the benchmark cause it.
	idleShare = 20
	// straggle is the time in which unaffected sidecars may receive unnecessary responses.
	straggle = 2 * time.Millisecond
	// unnoticed is the time that the server has for a change that affects nobody.
	unnoticed = 50 * time.Millisecond
)

// testbed is one mesh with its sidecars, in which variants are measured in turn.
type testbed struct {
	shape shape
	// changes is the maximum number of changes of each kind.
	changes map[mesh.Kind]int
	setup   server.Setup
	fleet   *fleet.Fleet
	tls     *tls.Config
}

// newTestbed creates the sidecars of a mesh, their tokens and their authority.
func newTestbed(of shape, changes map[mesh.Kind]int) (*testbed, error) {
	root, err := certificate.NewRoot(certificate.KeySpec{}, time.Now())
	if err != nil {
		return nil, err
	}
	key, err := root.KeyPEM()
	if err != nil {
		return nil, err
	}
	signer, err := fleet.NewSigner()
	if err != nil {
		return nil, err
	}
	m := mesh.New(of.Mode, of.Sidecars)
	tokens := make([]string, m.Sidecars())
	for i := range tokens {
		if tokens[i], err = signer.Token(m, i); err != nil {
			return nil, err
		}
	}
	return &testbed{
		shape: of, changes: changes, fleet: fleet.New(m, tokens), tls: fleet.TLS(root, server.ServerName),
		setup: server.Setup{
			Mode: of.Mode, Sidecars: of.Sidecars, RootCert: root.CertPEM(), RootKey: key,
			Keys: signer.Keys, Issuer: fleet.Issuer, Audience: fleet.Audience,
		},
	}, nil
}

// session measures one variant in a testbed.
type session struct {
	*testbed
	variant server.Variant
	child   *child
	mesh    *mesh.Mesh
	oracle  *mesh.Oracle
	values  map[metric]float64
}

// measure measures a variant.
func (t *testbed) measure(v server.Variant) (result, error) {
	s := t.session(v)
	for _, step := range []func() error{s.firstSync, s.weigh, s.restart, s.measureChanges, s.stop} {
		if err := step(); err != nil {
			return result{}, fmt.Errorf("%s, %d sidecars, %s: %w", t.shape.Mode, t.shape.Sidecars, v, err)
		}
	}
	return result{v, t.shape, s.values}, nil
}

// session returns the session of a variant before its start.
func (t *testbed) session(v server.Variant) *session {
	s := &session{testbed: t, variant: v, values: map[metric]float64{}, mesh: mesh.New(t.shape.Mode, t.shape.Sidecars)}
	s.setup.Variant = v
	s.oracle = mesh.NewOracle(s.mesh, t.setup.RootCert)
	return s
}

func (s *session) start() (err error) {
	s.child, err = startChild(s.setup)
	return err
}

func (s *session) stop() error {
	s.fleet.Disconnect()
	return s.child.end()
}

// firstSync measures the first sync of all sidecars. The server keeps running.
func (s *session) firstSync() error {
	if err := s.sync(); err != nil || s.variant != server.Broadcast {
		return err
	}
	// The sidecars have decoded all resources now.
	if err := s.stop(); err != nil {
		return err
	}
	return s.sync()
}

func (s *session) sync() error {
	everything, err := s.oracle.Resources(0)
	if err != nil {
		return err
	}
	if err := s.start(); err != nil {
		return err
	}
	s.fleet.Forget()
	// The certificate is one additional resource.
	w := s.fleet.ExpectAll(append(everything, mesh.Resource{ResourceKey: mesh.ResourceKey{TypeURL: mesh.SecretType}}))
	begun, err := s.child.do(server.Command{Task: server.AwaitRequests})
	if err != nil {
		return err
	}
	s.fleet.Connect(s.child.address, s.tls)
	ended, err := s.awaitAcknowledged(w)
	s.values[syncWall], s.values[syncCPU] = span(begun.At, ended.At), span(begun.CPU, ended.CPU)
	s.values[syncBytes] = float64(s.fleet.Traffic().Bytes)
	return err
}

// timeout is how long sidecars may take to receive their resources.
func (t *testbed) timeout() time.Duration {
	return timeout + time.Duration(t.shape.Sidecars)*timeoutEach
}

// awaitAcknowledged waits until sidecars have the expected resources and the server has read their ACKs.
func (s *session) awaitAcknowledged(w *fleet.Wait) (server.Answer, error) {
	limit := time.NewTimer(s.timeout())
	defer limit.Stop()
	check := time.NewTicker(time.Second)
	defer check.Stop()
	for {
		select {
		case <-w.Done():
			return s.child.do(server.Command{Task: server.AwaitRequests, Requests: s.fleet.Traffic().Requests})
		case <-check.C:
			if err := s.fleet.Err(); err != nil {
				return server.Answer{}, err
			}
		case <-limit.C:
			return server.Answer{}, fmt.Errorf("not all sidecars have their resources after %s: %s", s.timeout(), s.fleet.Missing())
		}
	}
}

// weigh measures the memory of the server with all sidecars connected.
func (s *session) weigh() error {
	if s.variant == server.Broadcast {
		return nil // its memory is not that of a control plane
	}
	if err := s.awaitReporting(); err != nil {
		return err
	}
	answer, err := s.child.do(server.Command{Task: server.Weigh})
	s.values[memory] = float64(answer.Memory)
	return err
}

// awaitReporting waits until all sidecars have the second stream of real ones, for load reports. It needs memory too.
func (s *session) awaitReporting() error {
	for begun := time.Now(); !s.fleet.Traffic().Reporting; time.Sleep(quiet / 10) {
		if time.Since(begun) > s.timeout() {
			return fmt.Errorf("not all sidecars have a stream of load reports after %s", s.timeout())
		}
	}
	return nil
}

// restart replaces the server and reconnects all sidecars with their resources.
func (s *session) restart() error {
	if s.variant == server.Broadcast {
		return nil // it does not support resource versions
	}
	if err := s.stop(); err != nil {
		return err
	}
	if err := s.start(); err != nil {
		return err
	}
	begun, err := s.child.do(server.Command{Task: server.AwaitRequests})
	if err != nil {
		return err
	}
	s.fleet.Connect(s.child.address, s.tls)
	ended, err := s.untilIdle()
	if err != nil {
		return err
	}
	s.values[restartWall], s.values[restartCPU] = span(begun.At, ended.At), span(begun.CPU, ended.CPU)
	s.values[restartShare] = float64(s.fleet.Traffic().Bytes) / s.values[syncBytes]
	return nil
}

// untilIdle waits until all sidecars have sent their first requests and the server is idle. It returns the answer from the start
// of the idle time.
func (s *session) untilIdle() (server.Answer, error) {
	idle, err := s.child.do(server.Command{Task: server.AwaitRequests})
	if err != nil {
		return idle, err
	}
	for begun := time.Now(); ; {
		time.Sleep(quiet / 10)
		if err := s.fleet.Err(); err != nil {
			return idle, err
		}
		if time.Since(begun) > s.timeout() {
			return idle, fmt.Errorf("the server is not idle after %s", s.timeout())
		}
		traffic := s.fleet.Traffic()
		now, err := s.child.do(server.Command{Task: server.AwaitRequests, Requests: traffic.Requests})
		if err != nil {
			return idle, err
		}
		busy := now.CPU-idle.CPU > (now.At-idle.At)/idleShare
		if !traffic.Complete || busy || now.At < s.fleet.Traffic().Last {
			idle = now
		} else if now.At-idle.At > quiet.Nanoseconds() {
			return idle, nil
		}
	}
}

// changes is the maximum number of changes of each kind, and changesLimit the duration after which fewer are made, but at least minimum.
var changes = map[mesh.Kind]int{
	mesh.Nothing: 50, mesh.Endpoint: 100, mesh.Rules: 20, mesh.Grant: 20, mesh.Split: 20, mesh.Limits: 20, mesh.Retry: 20, mesh.NewService: 5,
}

const (
	changesLimit = 2 * time.Second
	minimum      = 3
)

// sample is the measurement of one change, by the metric of its median or maximum.
type sample map[metric]float64

// measureChanges measures all kinds of changes.
func (s *session) measureChanges() error {
	for _, kind := range mesh.Kinds(s.shape.Mode) {
		var samples []sample
		for begun := time.Now(); len(samples) < s.changes[kind] && (len(samples) < minimum || time.Since(begun) < changesLimit); {
			one, err := s.change(kind)
			if err != nil {
				return fmt.Errorf("%s: %w", kind, err)
			}
			samples = append(samples, one)
		}
		s.record(kind, samples)
	}
	return nil
}

// change makes one change and waits until all affected sidecars have acknowledged it.
func (s *session) change(kind mesh.Kind) (sample, error) {
	differences, err := s.oracle.Apply(s.mesh.Next(kind))
	if err != nil {
		return nil, err
	}
	if _, err := s.child.do(server.Command{Task: server.Prepare, Kind: kind}); err != nil {
		return nil, err
	}
	w := s.fleet.Expect(differences)
	before := s.fleet.Traffic()
	begun, err := s.child.do(server.Command{Task: server.Go})
	if err != nil {
		return nil, err
	}
	acknowledged, err := s.awaitAcknowledged(w)
	if err != nil {
		return nil, err
	}
	if len(differences) == 0 {
		time.Sleep(unnoticed) // nobody tells when the server is done
	}
	time.Sleep(straggle)
	after := s.fleet.Traffic()
	ended, err := s.child.do(server.Command{Task: server.AwaitRequests, Requests: after.Requests})
	if err != nil {
		return nil, err
	}
	touched, needlessly := s.fleet.Touched(differences)
	return sample{
		changeP50: span(begun.At, acknowledged.At), changeCPU: span(begun.CPU, ended.CPU),
		changeBytes: float64(after.Bytes - before.Bytes), changeAllocs: float64(ended.Mallocs - begun.Mallocs),
		changeTouched: float64(touched), changeNothing: float64(needlessly),
	}, nil
}

// record adds samples to the result. The cost of changes without effect is subtracted from CPU time and allocations.
func (s *session) record(kind mesh.Kind, samples []sample) {
	columns := map[metric][]float64{}
	for _, one := range samples {
		for m, value := range one {
			columns[m] = append(columns[m], value)
		}
	}
	nothing := s.values[changeCPU.of(mesh.Nothing)]
	for m, value := range map[metric]float64{
		changeP50:     median(columns[changeP50]),
		changeP99:     quantile(columns[changeP50], 0.99),
		changeCPU:     median(columns[changeCPU]) - nothing,
		changeMeanCPU: mean(columns[changeCPU]) - nothing,
		changeBytes:   median(columns[changeBytes]),
		changeTouched: median(columns[changeTouched]),
		changeNothing: slices.Max(columns[changeNothing]),
		changeAllocs:  median(columns[changeAllocs]) - s.values[changeAllocs.of(mesh.Nothing)],
	} {
		s.values[m.of(kind)] = value
	}
}

// span returns a difference of nanoseconds in seconds.
func span(from, to int64) float64 { return time.Duration(to - from).Seconds() }

func median(values []float64) float64 { return quantile(values, 0.5) }

// quantile returns the smallest value that is at least as large as the given share of all values.
func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(int(math.Ceil(q*float64(len(sorted))))-1, 0)]
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}
