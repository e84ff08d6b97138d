package main

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/report"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/server"
)

// minimum is the number of changes of a kind that are made regardless of their duration.
const minimum = 3

// changes measures all kinds of changes.
func (s *session) changes() error {
	for _, kind := range []mesh.Kind{mesh.Nothing, mesh.Endpoint, mesh.Rules, mesh.Limits, mesh.Retry, mesh.Split, mesh.Grant, mesh.NewService, mesh.Egress, mesh.Ingress, mesh.Authorizer} {
		if s.measured.mode == mesh.Visible && slices.Contains(mesh.PolicyOnly(), kind) {
			continue // a permissive mesh has no rules
		}
		if (s.measured.mode == mesh.Outside) != slices.Contains(mesh.OutsideOnly(), kind) && kind != mesh.Nothing {
			continue // the other kinds cost the same as in mode Policy
		}
		if err := s.changesOf(kind); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	return nil
}

// sample is the measurement of one change.
type sample struct {
	wall, cpu, sent, allocations float64
	touched, needlessly          int
}

func (s *session) changesOf(kind mesh.Kind) error {
	if _, err := s.profile(string(kind)); err != nil {
		return err
	}
	var samples []sample
	for begun := time.Now(); len(samples) < s.plan.changes[kind]; {
		if len(samples) >= minimum && time.Since(begun) > s.plan.timeout {
			break
		}
		one, err := s.change(kind)
		if err != nil {
			return err
		}
		samples = append(samples, one)
	}
	s.record(kind, samples)
	return s.endProfile()
}

// change makes one change and waits until all affected sidecars have acknowledged it.
func (s *session) change(kind mesh.Kind) (sample, error) {
	differences, err := s.oracle.Apply(s.mesh.Next(kind))
	if err != nil {
		return sample{}, err
	}
	if _, err := s.child.do(server.Command{Task: server.Prepare, Kind: kind}); err != nil {
		return sample{}, err
	}
	w := s.fleet.Expect(differences)
	before := s.fleet.Traffic()
	begun, err := s.child.do(server.Command{Task: server.Go})
	if err != nil {
		return sample{}, err
	}
	acknowledged, err := s.awaitAcknowledged(w)
	if err != nil {
		return sample{}, err
	}
	time.Sleep(straggle)
	after := s.fleet.Traffic()
	ended, err := s.child.do(server.Command{Task: server.AwaitRequests, Requests: after.Requests})
	if err != nil {
		return sample{}, err
	}
	touched, needlessly := s.fleet.Touched(differences)
	return sample{
		wall: span(begun.At, acknowledged.At), cpu: span(begun.CPU, ended.CPU),
		sent: float64(after.Bytes - before.Bytes), allocations: float64(ended.Mallocs - begun.Mallocs),
		touched: touched, needlessly: needlessly,
	}, nil
}

// record adds samples to the result. The cost of changes without effect is subtracted from CPU time and allocations.
func (s *session) record(kind mesh.Kind, samples []sample) {
	column := func(of func(sample) float64) []float64 {
		values := make([]float64, len(samples))
		for i, one := range samples {
			values[i] = of(one)
		}
		return values
	}
	put := func(m report.Metric, value float64) { s.result.Values[report.Of(string(kind), m)] = value }
	nothing := func(m report.Metric) float64 { return s.result.Values[report.Of(string(mesh.Nothing), m)] }
	if kind == mesh.Nothing {
		nothing = func(report.Metric) float64 { return 0 }
	}
	wall, cpu := column(func(x sample) float64 { return x.wall }), column(func(x sample) float64 { return x.cpu })
	put(report.ChangeP50, median(wall))
	put(report.ChangeP99, quantile(wall, 0.99))
	put(report.ChangeCPU, median(cpu)-nothing(report.ChangeCPU))
	put(report.ChangeMeanCPU, mean(cpu)-nothing(report.ChangeCPU))
	put(report.ChangeBytes, median(column(func(x sample) float64 { return x.sent })))
	put(report.ChangeTouched, median(column(func(x sample) float64 { return float64(x.touched) })))
	put(report.ChangeNothing, slices.Max(column(func(x sample) float64 { return float64(x.needlessly) })))
	put(report.ChangeAllocs, median(column(func(x sample) float64 { return x.allocations }))-nothing(report.ChangeAllocs))
}

// profile starts a CPU profile of this project's control plane, if requested, and returns the current usage.
func (s *session) profile(phase string) (server.Answer, error) {
	if name := s.profileName(phase); name != "" {
		return s.child.do(server.Command{Task: server.Profile, File: name})
	}
	return s.child.do(server.Command{Task: server.AwaitRequests})
}

// profileName returns the file of a profile, or "" if none is requested.
func (s *session) profileName(phase string) string {
	if s.profiles == "" || s.variant != server.Ours {
		return ""
	}
	name := fmt.Sprintf("%s-%d-%s.pprof", s.measured.mode, s.measured.sidecars, strings.ReplaceAll(phase, " ", "-"))
	return filepath.Join(s.profiles, name)
}

func (s *session) endProfile() error {
	if s.profiles == "" || s.variant != server.Ours {
		return nil
	}
	_, err := s.child.do(server.Command{Task: server.Profile})
	return err
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
