package bench

import (
	"crypto/tls"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/fleet"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/server"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
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

// shape is a mode and a size of a mesh.
type shape struct {
	Mode     mesh.Mode
	Sidecars int
}

// session measures the control plane in one mesh with its sidecars.
type session struct {
	testing.TB
	// changes is the maximum number of changes of each kind.
	changes map[mesh.Kind]int
	setup   setup
	fleet   *fleet.Fleet
	tls     *tls.Config
	child   *child
	mesh    *mesh.Mesh
	oracle  *mesh.Oracle
	// values are in seconds, bytes or counts.
	values map[metric]float64
}

// newSession creates the sidecars of a mesh, their tokens and their authority. The test stops what it starts.
func newSession(t testing.TB, of shape, changes map[mesh.Kind]int) *session {
	t.Helper()
	root, err := certificate.NewRoot(certificate.KeySpec{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	m := mesh.New(of.Mode, of.Sidecars)
	keys, tokens, err := fleet.Credentials(root, m)
	if err != nil {
		t.Fatal(err)
	}
	s := &session{
		TB: t, changes: changes, setup: setup{Setup: keys, shape: of}, fleet: fleet.New(m, tokens), tls: fleet.TLS(root, server.ServerName),
		mesh: m, oracle: mesh.NewOracle(m, keys.RootCert), values: map[metric]float64{},
	}
	t.Cleanup(s.stop)
	return s
}

// measureAll measures everything.
func (s *session) measureAll() map[metric]float64 {
	s.firstSync()
	s.weigh()
	s.restart()
	s.measureChanges()
	s.stop()
	return s.values
}

func (s *session) stop() {
	if s.child != nil {
		s.fleet.Disconnect()
		s.child.end(s)
		s.child = nil
	}
}

// firstSync measures the first sync of all sidecars. The server keeps running.
func (s *session) firstSync() {
	s.sync()
	s.stop() // the sidecars of this process have decoded all resources now
	s.sync()
}

func (s *session) sync() {
	everything, err := s.oracle.Resources(0)
	if err != nil {
		s.Fatal(err)
	}
	s.child = startChild(s, s.setup)
	s.fleet.Forget()
	// The certificate is one additional resource.
	w := s.fleet.ExpectAll(append(everything, mesh.Resource{ResourceKey: mesh.ResourceKey{TypeURL: mesh.SecretType}}))
	begun := s.child.do(s, command{Task: awaitRequests})
	s.fleet.Connect(s.child.address, s.tls)
	ended := s.awaitAcknowledged(w)
	s.values[syncWall], s.values[syncCPU] = span(begun.At, ended.At), span(begun.CPU, ended.CPU)
	s.values[syncBytes] = float64(s.fleet.Traffic().Bytes)
}

// timeout is how long sidecars may take to receive their resources.
func (s *session) timeout() time.Duration {
	return timeout + time.Duration(s.setup.Sidecars)*timeoutEach
}

// awaitAcknowledged waits until sidecars have the expected resources and the server has read their ACKs.
func (s *session) awaitAcknowledged(w *fleet.Wait) answer {
	limit := time.NewTimer(s.timeout())
	defer limit.Stop()
	check := time.NewTicker(time.Second)
	defer check.Stop()
	for {
		select {
		case <-w.Done():
			return s.child.do(s, command{Task: awaitRequests, Requests: s.fleet.Traffic().Requests})
		case <-check.C:
			if err := s.fleet.Err(); err != nil {
				s.Fatal(err)
			}
		case <-limit.C:
			s.Fatalf("not all sidecars have their resources after %s: %s", s.timeout(), s.fleet.Missing())
		}
	}
}

// weigh measures the memory of the server with all sidecars connected, and with the second stream of real ones, for load reports.
func (s *session) weigh() {
	eventually.True(s, s.timeout(), "all sidecars have a stream of load reports", func() bool { return s.fleet.Traffic().Reporting })
	s.values[memory] = float64(s.child.do(s, command{Task: weigh}).Memory)
}

// restart replaces the server and reconnects all sidecars with their resources.
func (s *session) restart() {
	s.stop()
	s.child = startChild(s, s.setup)
	begun := s.child.do(s, command{Task: awaitRequests})
	s.fleet.Connect(s.child.address, s.tls)
	ended := s.untilIdle()
	s.values[restartWall], s.values[restartCPU] = span(begun.At, ended.At), span(begun.CPU, ended.CPU)
	s.values[restartShare] = float64(s.fleet.Traffic().Bytes) / s.values[syncBytes]
}

// untilIdle waits until all sidecars have sent their first requests and the server is idle. It returns the answer from the start
// of the idle time.
func (s *session) untilIdle() answer {
	idle := s.child.do(s, command{Task: awaitRequests})
	for begun := time.Now(); ; {
		time.Sleep(quiet / 10)
		if err := s.fleet.Err(); err != nil {
			s.Fatal(err)
		}
		if time.Since(begun) > s.timeout() {
			s.Fatalf("the server is not idle after %s", s.timeout())
		}
		traffic := s.fleet.Traffic()
		now := s.child.do(s, command{Task: awaitRequests, Requests: traffic.Requests})
		busy := now.CPU-idle.CPU > (now.At-idle.At)/idleShare
		if !traffic.Complete || busy || now.At < s.fleet.Traffic().Last {
			idle = now
		} else if now.At-idle.At > quiet.Nanoseconds() {
			return idle
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
func (s *session) measureChanges() {
	for _, kind := range mesh.Kinds(s.setup.Mode) {
		var samples []sample
		for begun := time.Now(); len(samples) < s.changes[kind] && (len(samples) < minimum || time.Since(begun) < changesLimit); {
			samples = append(samples, s.change(kind))
		}
		s.record(kind, samples)
	}
}

// change makes one change and waits until all affected sidecars have acknowledged it.
func (s *session) change(kind mesh.Kind) sample {
	differences, err := s.oracle.Apply(s.mesh.Next(kind))
	if err != nil {
		s.Fatalf("%s: %v", kind, err)
	}
	s.child.do(s, command{Task: prepare, Kind: kind})
	w := s.fleet.Expect(differences)
	before := s.fleet.Traffic()
	begun := s.child.do(s, command{Task: apply})
	acknowledged := s.awaitAcknowledged(w)
	if len(differences) == 0 {
		time.Sleep(unnoticed) // nobody tells when the server is done
	}
	time.Sleep(straggle)
	after := s.fleet.Traffic()
	ended := s.child.do(s, command{Task: awaitRequests, Requests: after.Requests})
	touched, needlessly := s.fleet.Touched(differences)
	return sample{
		changeP50: span(begun.At, acknowledged.At), changeCPU: span(begun.CPU, ended.CPU),
		changeBytes: float64(after.Bytes - before.Bytes), changeNeeded: float64(neededBytes(differences)), changeAllocs: float64(ended.Mallocs - begun.Mallocs),
		changeTouched: float64(touched), changeNothing: float64(needlessly),
	}
}

// neededBytes is the size of the responses that sidecars need for a change: one for each type, with short versions.
func neededBytes(differences map[int][]mesh.Resource) int {
	size := 0
	for _, list := range differences {
		responses := map[string]*discovery.DeltaDiscoveryResponse{}
		for _, r := range list {
			if responses[r.TypeURL] == nil {
				responses[r.TypeURL] = &discovery.DeltaDiscoveryResponse{TypeUrl: r.TypeURL, Nonce: "1"}
			}
			responses[r.TypeURL].Resources = append(responses[r.TypeURL].Resources, &discovery.Resource{
				Name: r.Name, Version: fmt.Sprintf("%016x", r.Hash), Resource: &anypb.Any{TypeUrl: r.TypeURL, Value: r.Value},
			})
		}
		for _, response := range responses {
			size += mesh.PodsPerService * proto.Size(response)
		}
	}
	return size
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
		changeNeeded:  median(columns[changeNeeded]),
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
