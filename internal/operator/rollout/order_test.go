package rollout

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// accountsOf are service accounts of the namespace a.
func accountsOf(names ...string) (accounts []identity.ServiceAccount) {
	for _, name := range names {
		accounts = append(accounts, identity.ServiceAccount{Namespace: "a", Name: name})
	}
	return accounts
}

// as gives a workload service accounts.
func as(names ...string) func(*Workload) {
	return func(w *Workload) { w.Accounts = accountsOf(names...) }
}

// calls reads calls between service accounts, such as "web>api".
func calls(texts ...string) (list []Call) {
	for _, text := range texts {
		source, destination, _ := strings.Cut(text, ">")
		list = append(list, Call{accountsOf(source)[0], accountsOf(destination)[0]})
	}
	return list
}

// TestOrder has workloads "<account>" of one namespace each, and what each of them waits for while all are pending.
func TestOrder(t *testing.T) {
	for name, c := range map[string]struct {
		calls []Call
		want  map[string][]string
	}{
		"no calls":               {nil, nil},
		"chain":                  {calls("x>y", "y>z"), map[string][]string{"y": {"x"}, "z": {"y"}}},
		"two callers":            {calls("y>z", "x>z", "x>z"), map[string][]string{"z": {"x", "y"}}},
		"itself":                 {calls("x>x"), nil},
		"cycle":                  {calls("x>y", "y>x"), nil},
		"cycle with a caller":    {calls("x>y", "y>x", "w>x", "y>z"), map[string][]string{"x": {"w"}, "z": {"y"}}},
		"two cycles":             {calls("v>w", "w>v", "y>z", "z>y", "w>y"), map[string][]string{"y": {"w"}}},
		"accounts of nobody":     {calls("x>nobody", "nobody>y", "nobody>nobody"), nil},
		"long cycle through all": {calls("v>w", "w>x", "x>y", "y>z", "z>v"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			checkOrder(t, c.calls, c.want)
		})
	}
}

func checkOrder(t *testing.T, calls []Call, want map[string][]string) {
	t.Helper()
	var workloads []Workload
	pending := map[Ref]bool{}
	for _, name := range []string{"v", "w", "x", "y", "z"} {
		w := deployment("a", name, "old", as(name))
		workloads = append(workloads, w)
		pending[w.Ref] = true
	}
	for _, w := range workloads {
		var first []string
		for _, name := range want[w.Ref.Name] {
			first = append(first, "a/"+name)
		}
		if got := CallersFirst(workloads, calls).awaited(w.Ref, pending); !slices.Equal(got, first) {
			t.Errorf("%s waits for %v, want %v", w.Ref.Name, got, first)
		}
		later := CalleesFirst(workloads, calls)
		for _, other := range workloads {
			reversed := slices.Contains(later.awaited(other.Ref, pending), "a/"+w.Ref.Name)
			if slices.Contains(want[w.Ref.Name], other.Ref.Name) != reversed {
				t.Errorf("%s waits for %s is %t with the callees first", other.Ref.Name, w.Ref.Name, reversed)
			}
		}
	}
}

// A workload whose account has just changed has two, and its other accounts must not make it wait for itself.
func TestOrder_SeveralAccounts(t *testing.T) {
	both, other := deployment("a", "both", "old", as("x", "y")), deployment("b", "other", "old", as("x"))
	order := CallersFirst([]Workload{both, other}, calls("x>y"))
	for _, w := range []Workload{both, other} {
		if awaited := order.awaited(w.Ref, map[Ref]bool{both.Ref: true, other.Ref: true}); len(awaited) > 0 {
			t.Errorf("%s waits for %v", w.Ref, awaited)
		}
	}
}

func TestNextWave_Order(t *testing.T) {
	web, api := as("web"), as("api")
	ordered := func(workloads ...Workload) ([]Workload, Limits) {
		limits := one
		limits.Timeout, limits.Order = time.Minute, CallersFirst(workloads, calls("web>api"))
		return workloads, limits
	}
	cases := map[string]waveCase{}
	add := func(name string, want wantWave, workloads ...Workload) {
		workloads, limits := ordered(workloads...)
		cases[name] = waveCase{workloads, limits, want}
	}
	second := deployment("b", "api", "old", api)
	recently := func(w *Workload) { w.Restart.At, w.Progressed = noon.Add(-time.Second), noon }
	add("callers first, also in another namespace", wantWave{restart: []string{"web"}, waiting: []string{"api"}}, deployment("c", "web", "old", web), second)
	add("a caller in progress", wantWave{inProgress: []string{"web"}, waiting: []string{"api"}}, deployment("a", "web", "old", web, restarted, notReady, recently), second)
	add("a caller that is late", wantWave{inProgress: []string{"web"}, restart: []string{"api"}},
		deployment("a", "web", "old", web, restarted, notReady, func(w *Workload) { w.Restart.At = noon.Add(-time.Hour) }), second)
	add("a caller that is up to date", wantWave{restart: []string{"api"}}, deployment("a", "web", "new", web), second)
	add("a caller that opted out", wantWave{manual: []string{"web"}, restart: []string{"api"}}, deployment("a", "web", "old", web, func(w *Workload) { w.OptedOut = true }), second)
	add("a Job as a caller", wantWave{manual: []string{"web"}, restart: []string{"api"}}, deployment("a", "web", "old", web, func(w *Workload) { w.Ref.Kind = "Job" }), second)
	add("a caller with a disruption budget", wantWave{blocked: []string{"web"}, restart: []string{"api"}}, deployment("a", "web", "old", web, func(w *Workload) { w.Blocked = "x" }), second)
	add("a caller that is not ready", wantWave{blocked: []string{"web"}, restart: []string{"api"}}, deployment("a", "web", "old", web, notReady), second)
	add("a caller without the room of its namespace", wantWave{restart: []string{"v"}, waiting: []string{"api", "web"}}, deployment("a", "v", "old"), deployment("a", "web", "old", web), second)
	add("what waits takes no room", wantWave{restart: []string{"z"}, waiting: []string{"api", "web"}},
		deployment("b", "api", "old", api), deployment("b", "z", "old"), deployment("a", "web", "old", web, restarted, func(w *Workload) { w.ReadySince = noon.Add(-time.Second) }))
	checkWaves(t, cases)

	workloads, limits := ordered(second, deployment("a", "web", "old", web), deployment("c", "web", "old", web), deployment("d", "web", "old", web), deployment("e", "web", "old", web))
	wave := NextWave(workloads, "new", limits, noon)
	if len(wave.Waiting) != 1 || !strings.HasPrefix(wave.Waiting[0].Reason, "waits for its callers a/web, c/web, d/web, others: ") {
		t.Errorf("the waiting workloads are %v", wave.Waiting)
	}
	limits.Order = UnknownOrder(fmt.Errorf("no permission"))
	if wave = NextWave(workloads, "new", limits, noon); len(wave.Waiting) != 0 || !strings.Contains(wave.Unordered, "no permission") {
		t.Errorf("without a known order the wave is %+v", wave)
	}
}

func TestNextWave_OrderOfDeniedWorkloads(t *testing.T) {
	workloads := []Workload{deployment("a", "web", "old", as("web")), deployment("b", "api", "old", as("api"))}
	denied := "api"
	limits := Limits{MaxUnavailable: intstr.FromInt32(1), Order: CallersFirst(workloads, calls("web>api"))}
	limits.Denied = func(ref Ref, _ string) (string, bool) {
		if ref.Name == denied {
			return "a policy", true
		}
		return "", false
	}
	if wave := NextWave(workloads, "new", limits, noon); len(wave.Retry) != 0 || !slices.Equal(names(wave.Restart), []string{"web"}) {
		t.Errorf("a denied workload restarts before its callers: %+v", wave)
	}
	denied = "web"
	if wave := NextWave(workloads, "new", limits, noon); !slices.Equal(names(wave.Retry), []string{"web"}) || !slices.Equal(names(wave.Restart), []string{"api"}) {
		t.Errorf("a workload waits for a denied one: %+v", wave)
	}
}

// orderedPlay restarts workloads wave by wave.
type orderedPlay struct {
	workloads []Workload
	limits    Limits
	now       time.Time
}

// TestNextWave_OrderNeverDeadlocks restarts random workloads with and without an order until nothing is left. Both restart the same ones.
func TestNextWave_OrderNeverDeadlocks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		accounts := []string{"s", "t", "u", "v", "w"}
		anyOf := rapid.SampledFrom(accounts)
		var workloads []Workload
		for i := range rapid.IntRange(1, 8).Draw(t, "workloads") {
			w := deployment(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "namespace"), fmt.Sprint("w", i), "old", as(rapid.SliceOfNDistinct(anyOf, 0, 2, rapid.ID).Draw(t, "accounts")...))
			slices.SortFunc(w.Accounts, identity.ServiceAccount.Compare)
			rapid.SampledFrom([]func(*Workload){
				func(*Workload) {}, func(*Workload) {}, func(*Workload) {}, notReady, restarted, func(w *Workload) { restarted(w); notReady(w) },
				func(w *Workload) { w.OptedOut = true }, func(w *Workload) { w.Blocked = "budget" }, func(w *Workload) { w.Ref.Kind = "Job" },
				func(w *Workload) { w.Sidecars = map[string]int{"new": 1} }, func(w *Workload) { restarted(w); w.Sidecars = nil; notReady(w) },
			}).Draw(t, "state")(&w)
			workloads = append(workloads, w)
		}
		var graph []Call
		for range rapid.IntRange(0, 12).Draw(t, "calls") {
			graph = append(graph, calls(anyOf.Draw(t, "source")+">"+anyOf.Draw(t, "destination"))...)
		}
		limits := Limits{MaxUnavailable: intstr.FromInt32(rapid.Int32Range(1, 2).Draw(t, "max")), MaxConcurrent: rapid.IntRange(0, 2).Draw(t, "slots"), Timeout: 3 * time.Minute}
		stuck := map[Ref]bool{}
		for _, w := range workloads {
			stuck[w.Ref] = rapid.IntRange(0, 5).Draw(t, "never ready") == 0
		}
		free := &orderedPlay{slices.Clone(workloads), limits, noon}
		limits.Order = CallersFirst(workloads, graph)
		ordered := &orderedPlay{slices.Clone(workloads), limits, noon}
		freeLeft, orderedLeft := free.run(t, stuck), ordered.run(t, stuck)
		if !slices.Equal(freeLeft, orderedLeft) {
			t.Fatalf("the order changes what is left from %v to %v", freeLeft, orderedLeft)
		}
	})
}

// run lets an hour pass, and returns the workloads that were never restarted and are outdated, and checks the limits of each wave.
func (p *orderedPlay) run(t *rapid.T, stuck map[Ref]bool) (left []string) {
	for range 60 {
		p.now = p.now.Add(time.Minute)
		wave := NextWave(p.workloads, "new", p.limits, p.now)
		for i := range p.workloads {
			load := &p.workloads[i]
			if slices.Contains(wave.Restart, load.Ref) {
				p.checkOrder(t, *load)
				load.Restart = Restart{Revision: "new", At: p.now, Retry: load.Restart.Revision == "new"}
				load.Sidecars, load.Ready, load.Progressed = map[string]int{"new": 2}, false, p.now
				continue
			}
			if !load.Ready && !stuck[load.Ref] {
				load.Ready, load.ReadySince = true, p.now
			}
		}
		p.checkLimits(t, len(wave.Restart))
	}
	for _, load := range p.workloads {
		if load.isOutdated("new", p.limits) {
			left = append(left, load.Ref.String())
		}
	}
	return left
}

// checkOrder requires that no caller of a restarted workload could still be restarted.
func (p *orderedPlay) checkOrder(t *rapid.T, load Workload) {
	if p.limits.Order == nil {
		return
	}
	free := p.limits
	free.Order = nil
	wave := NextWave(p.workloads, "new", free, p.now)
	could := map[Ref]bool{}
	for _, ref := range wave.Restart {
		could[ref] = true
	}
	if awaited := p.limits.Order.awaited(load.Ref, could); len(awaited) > 0 {
		t.Fatalf("%s restarts before its callers %v", load.Ref, awaited)
	}
}

// checkLimits requires that restarts leave no more workloads of a namespace, or of the mesh, unavailable than they may.
func (p *orderedPlay) checkLimits(t *rapid.T, restarts int) {
	unready := map[string]int{}
	total := 0
	for _, load := range p.workloads {
		if load.Restart.At.Equal(p.now) {
			unready[load.Ref.Namespace]++
			total++
		}
	}
	for namespace, n := range unready {
		if n > int(p.limits.MaxUnavailable.IntVal) || p.limits.MaxConcurrent > 0 && total > p.limits.MaxConcurrent {
			t.Fatalf("%d of %d workloads restart in %s", n, restarts, namespace)
		}
	}
}
