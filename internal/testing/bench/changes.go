package main

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/server"
)

// changes is the maximum number of changes of each kind, and changesLimit the duration after which fewer are made, but at least minimum.
var changes = map[mesh.Kind]int{
	mesh.Nothing: 50, mesh.Endpoint: 100, mesh.Rules: 20, mesh.Grant: 20, mesh.Split: 20, mesh.Limits: 20, mesh.Retry: 20, mesh.NewService: 5,
}

const (
	changesLimit = 2 * time.Second
	minimum      = 3
)

// sample is the measurement of one change.
type sample struct{ wall, cpu, sent, allocations, touched, needlessly float64 }

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
		touched: float64(touched), needlessly: float64(needlessly),
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
	wall, cpu := column(func(x sample) float64 { return x.wall }), column(func(x sample) float64 { return x.cpu })
	nothing := s.values[changeCPU.of(mesh.Nothing)]
	for m, value := range map[metric]float64{
		changeP50:     median(wall),
		changeP99:     quantile(wall, 0.99),
		changeCPU:     median(cpu) - nothing,
		changeMeanCPU: mean(cpu) - nothing,
		changeBytes:   median(column(func(x sample) float64 { return x.sent })),
		changeTouched: median(column(func(x sample) float64 { return x.touched })),
		changeNothing: slices.Max(column(func(x sample) float64 { return x.needlessly })),
		changeAllocs:  median(column(func(x sample) float64 { return x.allocations })) - s.values[changeAllocs.of(mesh.Nothing)],
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
