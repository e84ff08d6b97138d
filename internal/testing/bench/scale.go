package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/fleet"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/report"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/server"
)

// assumptions are the assumptions of the extrapolation about the mesh, except for its size.
var assumptions = report.Assumptions{Changes: 100, Age: 1800, Event: 2 << 10}

// scaleReplicas are the numbers of replicas in the extrapolation.
var scaleReplicas = []int{3, 5, 10, 20, 40}

// scaleSizes is the default of -sizes with -scale.
const scaleSizes = "500,1000,2000"

// scaled holds the results of a scale run and the extrapolation.
type scaled struct {
	*report.Run
	Costs       report.Costs
	Assumptions report.Assumptions
	Shares      []report.Share
}

// scale measures one replica by the size of the mesh and by the number of its sidecars, and extrapolates to the replicas of a
// large mesh.
func (o options) scale(out io.Writer) error {
	if o.from != "" {
		results, err := read(strings.Split(o.from, ","))
		if err != nil {
			return err
		}
		return o.extrapolate(results, out)
	}
	meshes, err := numbers(o.meshes)
	if err != nil {
		return err
	}
	sizes, err := numbers(cmp.Or(o.sizes, scaleSizes))
	if err != nil {
		return err
	}
	largest := slices.Max(meshes)
	if len(sizes) < 2 || len(meshes) < 2 || slices.Max(sizes)+100 > largest {
		return fmt.Errorf("-scale needs two numbers or more in -meshes and in -sizes, and a mesh with more sidecars than connect")
	}
	results, err := o.newRun()
	if err != nil {
		return err
	}
	signer, err := fleet.NewSigner()
	if err != nil {
		return err
	}
	var points []point
	for _, of := range meshes {
		points = append(points, point{server.Ours, measured{mesh.Policy, 0, of}})
	}
	for _, connected := range sizes {
		points = append(points, point{server.Bare, measured{mesh.Policy, connected, largest}},
			point{server.Ours, measured{mesh.Policy, connected, largest}})
	}
	for _, p := range points {
		begun := time.Now()
		result, err := p.measure(o, signer)
		if err != nil {
			return err
		}
		results.Results = append(results.Results, result)
		log.Printf("%s, %d of %d sidecars connected: measured in %s", p.variant, p.sidecars, p.of, time.Since(begun).Round(100*time.Millisecond))
	}
	return o.extrapolate(results, out)
}

// point is one measurement of a scale run.
type point struct {
	variant server.Variant
	measured
}

func (p point) measure(o options, signer *fleet.Signer) (report.Result, error) {
	plan := plan{syncs: 1, patience: 10 * time.Second, changes: map[mesh.Kind]int{
		mesh.Nothing: 100, mesh.Endpoint: 100, mesh.Elsewhere: 100, mesh.Rules: 30, mesh.Grant: 30, mesh.NewService: 10,
	}}
	connect := p.measured
	connect.sidecars = max(connect.sidecars, 40) // who have no part in a measurement where none connects
	a, err := newTestbed(plan, connect, signer, o.profiles)
	if err != nil {
		return report.Result{}, err
	}
	s := a.session(p.variant)
	s.result.Sidecars, s.result.Of = p.sidecars, p.of
	steps := []func() error{s.firstSyncs, s.weigh, s.restart, s.changes, s.stop}
	switch {
	case p.sidecars == 0:
		steps = []func() error{s.readMesh}
	case p.variant == server.Bare:
		steps = []func() error{s.connectOnly, s.weigh, s.stop}
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return s.result, fmt.Errorf("%s, %d of %d sidecars: %w", p.variant, p.sidecars, p.of, err)
		}
	}
	return s.result, nil
}

// readMesh measures a replica without sidecars that has read a mesh. The CPU time includes the generation of the mesh.
func (s *session) readMesh() error {
	if err := s.start(); err != nil {
		return err
	}
	quietSince, err := s.untilQuiet()
	if err != nil {
		return err
	}
	s.result.Values[report.ReadCPU] = time.Duration(quietSince.CPU).Seconds()
	if err := s.weigh(); err != nil {
		return err
	}
	return s.child.end()
}

// connectOnly connects all sidecars to a server that never responds.
func (s *session) connectOnly() error {
	if err := s.start(); err != nil {
		return err
	}
	s.fleet.Forget()
	s.fleet.Connect(s.child.address, s.tls)
	_, err := s.untilIdle()
	return err
}

// untilQuiet waits until the server without sidecars is idle. It returns the answer from the start of the idle time.
func (s *session) untilQuiet() (server.Answer, error) {
	idle, err := s.child.do(server.Command{Task: server.Settle})
	for begun := time.Now(); err == nil && time.Since(begun) < patience; {
		time.Sleep(quiet)
		var now server.Answer
		if now, err = s.child.do(server.Command{Task: server.Settle}); err != nil {
			break
		}
		if now.CPU-idle.CPU < (now.At-idle.At)/idleShare {
			return idle, nil
		}
		idle = now
	}
	return idle, fmt.Errorf("the server is not quiet: %w", err)
}

// extrapolate fits lines to the results, and writes the extrapolation.
func (o options) extrapolate(results *report.Run, out io.Writer) error {
	costs, err := costsOf(results)
	if err != nil {
		return err
	}
	s := scaled{Run: results, Costs: costs, Assumptions: assumptions}
	s.Assumptions.Sidecars = o.target
	for _, replicas := range scaleReplicas {
		s.Shares = append(s.Shares, costs.ShareOf(s.Assumptions, replicas))
	}
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(o.out), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(o.out+".json", append(data, '\n'), 0o644); err != nil {
		return err
	}
	return report.ScaleTable(out, results, costs, s.Assumptions, s.Shares)
}

// costsOf fits lines to the results of a scale run whose sidecars connected in the largest mesh.
func costsOf(r *report.Run) (report.Costs, error) {
	byMesh := func(x report.Result) (float64, bool) { return float64(x.Of), x.Sidecars == 0 }
	bySidecars := func(x report.Result) (float64, bool) { return float64(x.Sidecars), x.Sidecars > 0 }
	var c report.Costs
	var err error
	for _, l := range []struct {
		line    *report.Line
		variant server.Variant
		metric  report.Metric
		by      func(report.Result) (float64, bool)
	}{
		{&c.Mesh, server.Ours, report.Memory, byMesh},
		{&c.Read, server.Ours, report.ReadCPU, byMesh},
		{&c.Sidecar, server.Ours, report.Memory, bySidecars},
		{&c.Connection, server.Bare, report.Memory, bySidecars},
		{&c.Sync, server.Ours, report.SyncCPU, bySidecars},
		{&c.Return, server.Ours, report.RestartCPU, bySidecars},
		{&c.Sent, server.Ours, report.SyncBytes, bySidecars},
	} {
		if *l.line, err = r.LineOf(string(l.variant), l.metric, l.by); err != nil {
			return c, err
		}
	}
	last := r.Results[len(r.Results)-1].Values // of the largest number of sidecars
	c.Change = last[report.Of("endpoint", report.ChangeCPU)]
	for _, result := range r.Results { // it nearly drowns in what the questions cost, so the largest is taken
		c.Elsewhere = max(c.Elsewhere, result.Values[report.Of("endpoint elsewhere", report.ChangeCPU)])
	}
	c.ChangeBytes = last[report.Of("endpoint", report.ChangeBytes)]
	own := c.Sidecar.Slope * float64(r.Results[len(r.Results)-1].Sidecars)
	c.Peak = max(1+(last[report.Resident]-last[report.Memory])/own, 1)
	return c, nil
}

// numbers parses comma-separated numbers and sorts them.
func numbers(text string) ([]int, error) {
	var list []int
	for field := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(field)
		if err != nil || n <= 0 {
			return nil, fmt.Errorf("%q is not a number of sidecars", field)
		}
		list = append(list, n)
	}
	slices.Sort(list)
	return list, nil
}
