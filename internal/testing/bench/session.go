package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/fleet"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/report"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/server"
)

const (
	// timeout limits waiting for sidecars to receive their resources.
	timeout = 10 * time.Minute
	// quiet is the idle time after which a restart is complete.
	quiet = 500 * time.Millisecond
	// idleShare is the CPU usage of one core below which a server is idle; queries of the benchmark cause it.
	idleShare = 20
	// straggle is the time in which unaffected sidecars may receive unnecessary responses.
	straggle = 2 * time.Millisecond
)

// testbed is one mesh with its sidecars, in which variants are measured in turn.
type testbed struct {
	plan     plan
	measured measured
	setup    server.Setup
	fleet    *fleet.Fleet
	tls      *tls.Config
	// profiles is the directory for CPU profiles; empty disables them.
	profiles string
}

// newTestbed creates the sidecars of a mesh, their tokens and their authority.
func newTestbed(p plan, m measured, signer *fleet.Signer, profiles string) (*testbed, error) {
	root, err := certificate.NewRoot(certificate.KeySpec{}, time.Now())
	if err != nil {
		return nil, err
	}
	key, err := root.KeyPEM()
	if err != nil {
		return nil, err
	}
	invented := m.mesh()
	tokens := make([]string, invented.Sidecars())
	for i := range tokens {
		if tokens[i], err = signer.Token(invented, i); err != nil {
			return nil, err
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(root.CertPEM())
	return &testbed{
		plan: p, measured: m, profiles: profiles, fleet: fleet.New(invented, tokens),
		tls: &tls.Config{
			RootCAs: pool, ServerName: server.ServerName, MinVersion: tls.VersionTLS13,
			CurvePreferences: []tls.CurveID{tls.X25519},
		}, // as Envoy does
		setup: server.Setup{
			Mode: m.mode, Sidecars: max(m.sidecars, m.of), Connected: m.sidecars, RootCert: root.CertPEM(), RootKey: key,
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
	result  report.Result
}

// measure measures a variant.
func (a *testbed) measure(v server.Variant) (report.Result, error) {
	s := a.session(v)
	for _, step := range []func() error{s.firstSyncs, s.weigh, s.restart, s.changes, s.stop} {
		if err := step(); err != nil {
			return s.result, fmt.Errorf("%s, %d sidecars, %s: %w", a.measured.mode, a.measured.sidecars, v, err)
		}
	}
	return s.result, nil
}

// session returns the session of a variant before its start.
func (a *testbed) session(v server.Variant) *session {
	s := &session{testbed: a, variant: v, result: report.Result{
		Variant: string(v), Mode: string(a.measured.mode), Sidecars: a.measured.sidecars, Values: map[report.Metric]float64{},
	}}
	s.setup.Variant = v
	s.mesh = a.measured.mesh()
	s.oracle = mesh.NewOracle(s.mesh, a.setup.RootCert)
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

// firstSyncs measures the first sync of all sidecars. The last server keeps running.
func (s *session) firstSyncs() error {
	rounds := s.plan.syncs
	if s.variant == server.Broadcast {
		rounds++ // the first round parses all resources
	}
	var wall, cpu, sent []float64
	for round := range rounds {
		if round > 0 {
			if err := s.stop(); err != nil {
				return err
			}
		}
		if err := s.start(); err != nil {
			return err
		}
		w, c, b, err := s.firstSync()
		if err != nil {
			return err
		}
		if s.variant != server.Broadcast || round > 0 {
			wall, cpu, sent = append(wall, w), append(cpu, c), append(sent, b)
		}
	}
	s.result.Values[report.SyncWall] = median(wall)
	s.result.Values[report.SyncCPU] = median(cpu)
	s.result.Values[report.SyncBytes] = median(sent)
	return nil
}

func (s *session) firstSync() (wall, cpu, sent float64, err error) {
	everything, err := s.oracle.Resources(0)
	if err != nil {
		return 0, 0, 0, err
	}
	s.fleet.Forget()
	// The certificate is one additional resource.
	w := s.fleet.ExpectAll(append(everything, mesh.Resource{TypeURL: mesh.SecretType}))
	begun, err := s.profile("sync")
	if err != nil {
		return 0, 0, 0, err
	}
	s.fleet.Connect(s.child.address, s.tls)
	ended, err := s.awaitAcknowledged(w)
	if err != nil {
		return 0, 0, 0, err
	}
	if err := s.endProfile(); err != nil {
		return 0, 0, 0, err
	}
	return span(begun.At, ended.At), span(begun.CPU, ended.CPU), float64(s.fleet.Traffic().Bytes), nil
}

// awaitAcknowledged waits until sidecars have the expected resources and the server has read their ACKs.
func (s *session) awaitAcknowledged(w *fleet.Wait) (server.Answer, error) {
	limit := time.NewTimer(timeout)
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
			return server.Answer{}, fmt.Errorf("not all sidecars have their resources after %s: %s", timeout, s.fleet.Missing())
		}
	}
}

// weigh measures the memory of the server with all sidecars connected.
func (s *session) weigh() error {
	if s.variant == server.Broadcast {
		return nil // its memory is not that of a control plane
	}
	answer, err := s.child.do(server.Command{Task: server.Weigh, File: s.profileName("heap")})
	s.result.Values[report.Memory] = float64(answer.Memory)
	return err
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
	begun, err := s.profile("restart")
	if err != nil {
		return err
	}
	s.fleet.Connect(s.child.address, s.tls)
	ended, err := s.untilIdle()
	if err != nil {
		return err
	}
	before := s.fleet.Traffic()
	s.result.Values[report.RestartWall] = span(begun.At, ended.At)
	s.result.Values[report.RestartCPU] = span(begun.CPU, ended.CPU)
	s.result.Values[report.RestartShare] = float64(before.Bytes) / s.result.Values[report.SyncBytes]
	return s.endProfile()
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
		if time.Since(begun) > timeout {
			return idle, fmt.Errorf("the server is not idle after %s", timeout)
		}
		sent, complete := s.fleet.Reconnected()
		now, err := s.child.do(server.Command{Task: server.AwaitRequests, Requests: sent})
		if err != nil {
			return idle, err
		}
		busy := now.CPU-idle.CPU > (now.At-idle.At)/idleShare
		if !complete || busy || now.At < s.fleet.Traffic().Last {
			idle = now
		} else if now.At-idle.At > quiet.Nanoseconds() {
			return idle, nil
		}
	}
}
