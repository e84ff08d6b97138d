package rollout

import (
	"fmt"
	"maps"
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

const reason = "waits for its callers %s: their sidecars lose requests while it restarts"

// callersFirst lets each of the workloads restart after those that may call it.
func callersFirst(workloads []Workload, calls []Call) *Order {
	return NewOrder(workloads, calls, reason)
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
		"cycle through nobody":   {calls("x>nobody", "nobody>y", "y>x"), map[string][]string{"x": {"y"}}},
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
	var reversed []Call
	for _, c := range calls {
		reversed = append(reversed, Call{Source: c.Destination, Destination: c.Source})
	}
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
		if got := callersFirst(workloads, calls).awaited(w.Ref, pending); !slices.Equal(got, first) {
			t.Errorf("%s waits for %v, want %v", w.Ref.Name, got, first)
		}
		later := NewOrder(workloads, reversed, reason)
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
	order := callersFirst([]Workload{both, other}, calls("x>y"))
	for _, w := range []Workload{both, other} {
		if awaited := order.awaited(w.Ref, map[Ref]bool{both.Ref: true, other.Ref: true}); len(awaited) > 0 {
			t.Errorf("%s waits for %v", w.Ref, awaited)
		}
	}
}

// A workload with two accounts is named once, and of many callers only the first are named.
func TestOrder_NamesOfTheAwaited(t *testing.T) {
	callers := []Workload{deployment("a", "two", "old", as("v", "w")), deployment("a", "gone", "old", as("x"))}
	for _, namespace := range []string{"b", "c", "d", "e"} {
		callers = append(callers, deployment(namespace, "x", "old", as("x")))
	}
	called := deployment("a", "z", "old", as("z"))
	order := callersFirst(append(callers, called), calls("v>z", "w>z", "x>z"))
	pending := map[Ref]bool{}
	for i, want := range map[int][]string{1: {"a/two"}, 3: {"a/two", "b/x"}, 6: {"a/two", "b/x", "c/x", "d/x"}} {
		clear(pending)
		for _, w := range callers[:i] {
			pending[w.Ref] = w.Ref.Name != "gone"
		}
		if i == 3 {
			pending[callers[2].Ref] = true
		}
		if got := order.awaited(called.Ref, pending); !slices.Equal(got, want) {
			t.Errorf("with %d callers it waits for %v, want %v", i, got, want)
		}
	}
	clear(pending)
	for _, w := range callers[2:5] {
		pending[w.Ref] = true
	}
	if got := order.awaits(called.Ref, pending); !strings.Contains(got, "callers b/x, c/x, d/x: ") {
		t.Errorf("with three callers the reason is %q", got)
	}
}

func TestNextWave_Order(t *testing.T) {
	web, api := as("web"), as("api")
	ordered := func(workloads ...Workload) ([]Workload, Limits) {
		limits := one
		limits.Timeout, limits.Order = time.Minute, callersFirst(workloads, calls("web>api"))
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
	add("a caller without the room of its namespace", wantWave{restart: []string{"v"}, waiting: []string{"web", "api"}}, deployment("a", "v", "old"), deployment("a", "web", "old", web), second)
	add("what waits takes no room", wantWave{restart: []string{"z"}, waiting: []string{"web", "api"}},
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
	limits := Limits{MaxUnavailable: intstr.FromInt32(1), Order: callersFirst(workloads, calls("web>api"))}
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
	// stuck are never ready after a restart, and slow keep an earlier pod until they are ready.
	stuck, slow map[Ref]bool
}

// drawWorkload draws a workload in any state, with up to two service accounts.
func drawWorkload(t *rapid.T, name string, accounts []string) Workload {
	namespace := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "namespace")
	w := deployment(namespace, name, "old", as(rapid.SliceOfNDistinct(rapid.SampledFrom(accounts), 0, 2, rapid.ID).Draw(t, "accounts")...))
	slices.SortFunc(w.Accounts, identity.ServiceAccount.Compare)
	states := map[string]func(*Workload){
		"outdated": func(*Workload) {}, "not ready": notReady, "restarted": restarted, "opted out": func(w *Workload) { w.OptedOut = true },
		"restarting": func(w *Workload) { restarted(w); notReady(w) }, "budget": func(w *Workload) { w.Blocked = "budget" }, "Job": func(w *Workload) { w.Ref.Kind = "Job" },
		"up to date": func(w *Workload) { w.Sidecars = map[string]int{"new": 1} }, "absent": func(w *Workload) { restarted(w); notReady(w); w.Sidecars = nil },
	}
	all := append(slices.Sorted(maps.Keys(states)), "outdated", "outdated", "outdated", "outdated")
	states[rapid.SampledFrom(all).Draw(t, "state")](&w)
	return w
}

// TestNextWave_OrderNeverDeadlocks restarts random workloads with and without an order. What waits for callers waits for one that is restarting, or that
// the limits keep from it. If all workloads become ready, the same ones are restarted as without the order.
func TestNextWave_OrderNeverDeadlocks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		accounts := []string{"s", "t", "u", "v", "w"}
		free := &orderedPlay{now: noon, stuck: map[Ref]bool{}, slow: map[Ref]bool{}, limits: Limits{
			MaxUnavailable: intstr.FromInt32(rapid.Int32Range(1, 2).Draw(t, "max")), MaxConcurrent: rapid.IntRange(0, 2).Draw(t, "slots"), Timeout: 3 * time.Minute,
		}}
		for i := range rapid.IntRange(1, 8).Draw(t, "workloads") {
			w := drawWorkload(t, fmt.Sprint("w", i), accounts)
			free.workloads = append(free.workloads, w)
			if rapid.IntRange(0, 5).Draw(t, "stuck") == 0 {
				free.stuck[w.Ref] = true
			}
			free.slow[w.Ref] = rapid.Bool().Draw(t, "slow")
		}
		var graph []Call
		account := rapid.SampledFrom(accounts)
		for range rapid.IntRange(0, 12).Draw(t, "calls") {
			graph = append(graph, calls(account.Draw(t, "source")+">"+account.Draw(t, "destination"))...)
		}
		ordered := *free
		ordered.workloads = slices.Clone(free.workloads)
		ordered.limits.Order = callersFirst(free.workloads, graph)
		freeWave, orderedWave := free.run(t), ordered.run(t)
		if len(free.stuck) == 0 && (freeWave.Done() != orderedWave.Done() || !slices.Equal(free.outdated(), ordered.outdated())) {
			t.Fatalf("with the order %v is left, and without it %v: %+v", ordered.outdated(), free.outdated(), orderedWave)
		}
	})
}

// run lets two hours pass, checks each wave, and returns the last one.
func (p *orderedPlay) run(t *rapid.T) Wave {
	var wave Wave
	for range 120 {
		p.now = p.now.Add(time.Minute)
		wave = NextWave(p.workloads, "new", p.limits, p.now)
		p.checkWaiting(t, wave)
		for _, ref := range wave.Restart {
			p.checkOrder(t, ref)
		}
		for i := range p.workloads {
			switch load := &p.workloads[i]; {
			case slices.Contains(wave.Restart, load.Ref):
				load.Restart = Restart{Revision: "new", At: p.now, Retry: load.Restart.Revision == "new"}
				load.Sidecars, load.Ready, load.Progressed = map[string]int{"new": 2}, false, p.now
				if p.slow[load.Ref] {
					load.Sidecars["old"] = 1
				}
			case !load.Ready && !p.stuck[load.Ref]:
				load.Ready, load.ReadySince = true, p.now
				if load.Restart.Revision == "new" {
					load.Sidecars = map[string]int{"new": 2}
				}
			}
		}
		p.checkLimits(t)
	}
	return wave
}

func (p *orderedPlay) outdated() (left []string) {
	for _, load := range p.workloads {
		if load.isOutdated("new", p.limits) {
			left = append(left, load.Ref.String())
		}
	}
	return left
}

// checkWaiting requires that something is restarting in time, or waits for another reason than the order, if anything waits for that.
func (p *orderedPlay) checkWaiting(t *rapid.T, wave Wave) {
	others := len(wave.Restart)
	for _, ref := range wave.InProgress {
		if !wave.late.refs[ref] {
			others++
		}
	}
	for _, note := range wave.Waiting {
		if !strings.HasPrefix(note.Reason, "waits for its callers") {
			others++
		}
	}
	if others == 0 && len(wave.Waiting) > 0 {
		t.Fatalf("nothing ends the waiting: %+v", wave)
	}
}

// checkOrder requires that no caller of a restarted workload is restarted in the same wave, or could be.
func (p *orderedPlay) checkOrder(t *rapid.T, ref Ref) {
	if p.limits.Order == nil {
		return
	}
	free := p.limits
	free.Order = nil
	wave, could := NextWave(p.workloads, "new", free, p.now), map[Ref]bool{}
	for _, other := range wave.Restart {
		could[other] = true
	}
	if awaited := p.limits.Order.awaited(ref, could); len(awaited) > 0 {
		t.Fatalf("%s restarts before its callers %v", ref, awaited)
	}
}

// checkLimits requires that no more workloads of a namespace, or of the mesh, are restarted at a time than may be unavailable.
func (p *orderedPlay) checkLimits(t *rapid.T) {
	restarts, total := map[string]int{}, 0
	for _, load := range p.workloads {
		if load.Restart.At.Equal(p.now) {
			restarts[load.Ref.Namespace]++
			total++
		}
	}
	for namespace, n := range restarts {
		if n > int(p.limits.MaxUnavailable.IntVal) || p.limits.MaxConcurrent > 0 && total > p.limits.MaxConcurrent {
			t.Fatalf("%d workloads restart in %s, and %d in the mesh", n, namespace, total)
		}
	}
}
