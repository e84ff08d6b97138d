package verdict

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/reference"
)

// Report counts the results of edits and requests.
type Report struct {
	edits             int
	settling, slowest time.Duration
	lateAnswers       int
	latest            time.Duration
	outcomes          map[direction]map[authz.Outcome]int
	// refused counts responses of authorization servers, and encrypted those of servers outside the mesh to encrypted requests.
	refused, encrypted int
	// matched counts responses of splits by request, opened those of permissive destinations.
	matched, opened int
}

func (r *Report) countEdit(took time.Duration) {
	r.edits++
	r.settling += took
	r.slowest = max(r.slowest, took)
}

func (r *Report) countLate(by time.Duration) {
	r.lateAnswers++
	r.latest = max(r.latest, by)
}

// count counts the expected outcomes of a response after an edit.
func (r *Report) count(e expectation, seen string) {
	if isRejection(seen) {
		r.refused++
	}
	if strings.HasSuffix(seen, overTLS) {
		r.encrypted++
	}
	r.initialize()
	for _, a := range e.verdict.Answers {
		r.outcomes[e.direction][a.Outcome]++
		if a.Match != "" {
			r.matched++
		}
		if a.Permissive {
			r.opened++
		}
	}
}

func (r *Report) initialize() {
	if r.outcomes == nil {
		r.outcomes = map[direction]map[authz.Outcome]int{"": {}, egress: {}, ingress: {}, peering: {}}
	}
}

// Add adds the counts of another report.
func (r *Report) Add(other *Report) {
	r.edits += other.edits
	r.settling += other.settling
	r.slowest = max(r.slowest, other.slowest)
	r.lateAnswers += other.lateAnswers
	r.latest = max(r.latest, other.latest)
	r.refused += other.refused
	r.encrypted += other.encrypted
	r.matched += other.matched
	r.opened += other.opened
	r.initialize()
	for direction, outcomes := range other.outcomes {
		for outcome, number := range outcomes {
			r.outcomes[direction][outcome] += number
		}
	}
}

// possible are the outcomes that must occur. A refused call to a server outside the mesh is rare, and the same as one to a Service: the sidecar
// has no destination at all. Those that are encrypted, or cannot be, are rare too.
var possible = map[direction][]authz.Outcome{
	"":      {authz.Allowed, authz.Forbidden, authz.NotFound, authz.BadRequest, authz.Unavailable, authz.Reset, authz.Refused, authz.PassedThrough},
	egress:  {authz.Allowed, authz.NotFound, authz.BadRequest, authz.Reset, authz.PassedThrough},
	ingress: {authz.Allowed, authz.NotFound, authz.BadRequest, authz.Reset},
	peering: {authz.Allowed, authz.Forbidden, authz.NotFound, authz.Reset},
}

// Unobserved returns the outcomes and reasons without any response, which were therefore not tested.
func (r *Report) Unobserved() []string {
	var never []string
	for _, direction := range slices.Sorted(maps.Keys(possible)) {
		for _, o := range possible[direction] {
			if r.outcomes[direction][o] == 0 {
				never = append(never, strings.TrimSpace(string(direction)+" "+string(o)))
			}
		}
	}
	if r.refused == 0 {
		never = append(never, "denied by an authorization server")
	}
	if r.matched == 0 {
		never = append(never, "split by request")
	}
	if r.opened == 0 {
		never = append(never, "allowed without a policy")
	}
	return never
}

// String summarizes the report.
func (r *Report) String() string {
	return fmt.Sprintf("%d edits, acknowledged after %s on average and %s at most; %d answers were late, by %s at most; %d were split by request, %d allowed without a policy, %d denied by authorization servers, %d encrypted outside the mesh; answers: %s; to outside: %s; from outside: %s; from peers: %s",
		r.edits, (r.settling / time.Duration(max(r.edits, 1))).Round(time.Millisecond), r.slowest.Round(time.Millisecond),
		r.lateAnswers, r.latest.Round(time.Millisecond), r.matched, r.opened, r.refused, r.encrypted, counted(r.outcomes[""]), counted(r.outcomes[egress]), counted(r.outcomes[ingress]), counted(r.outcomes[peering]))
}

// counted returns the outcomes with their numbers.
func counted(outcomes map[authz.Outcome]int) string {
	var list []string
	for _, o := range slices.Sorted(maps.Keys(outcomes)) {
		list = append(list, fmt.Sprintf("%s %d", o, outcomes[o]))
	}
	return strings.Join(list, ", ")
}

// outcomes are the outcomes of the policy engine as the reference names them.
var outcomes = map[authz.Outcome]reference.Outcome{
	authz.Allowed: reference.Allowed, authz.Forbidden: reference.Forbidden, authz.NotFound: reference.NotFound, authz.BadRequest: reference.BadRequest,
	authz.Unavailable: reference.Unavailable, authz.Reset: reference.Reset, authz.Refused: reference.Refused, authz.PassedThrough: reference.Passed,
	authz.Redirected: reference.Redirected, authz.Misrouted: reference.Broken,
}

// referenceRequest returns a request in the form of the reference.
func referenceRequest(r authz.Request) reference.Request {
	out := reference.Request{
		Source: types.NamespacedName(r.Source), Service: types.NamespacedName(r.Service), Port: int32(r.Port), Pod: r.Pod.String(),
		Method: r.Method, Path: r.Path,
		ServerName: r.ServerName,
	}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, [2]string{h.Name, h.Value})
	}
	return out
}

// disagreement describes how a verdict differs from the results of the reference; empty if they agree.
func disagreement(verdict authz.Verdict, results []reference.Result) string {
	engine, expected := map[string]bool{}, map[string]bool{}
	for _, a := range verdict.Answers {
		engine[fmt.Sprint(reference.Result{
			Outcome: outcomes[a.Outcome], Service: types.NamespacedName(a.Service),
			Account: types.NamespacedName(a.Destination),
		})] = true
	}
	for _, r := range results {
		expected[fmt.Sprint(r)] = true
	}
	if maps.Equal(engine, expected) {
		return ""
	}
	return fmt.Sprintf("the policy engine decides %v, the reference %v", slices.Sorted(maps.Keys(engine)), slices.Sorted(maps.Keys(expected)))
}

// String describes the source, destination and content of the request.
func (r Request) String() string {
	from := fmt.Sprintf("%s (%s) to %s", pods[r.Pod].name, pods[r.Pod].account, r.To)
	if r.Client.Peer != "" {
		from = fmt.Sprintf("%s to %s", r.Client, r.To)
	} else if r.From.IsValid() {
		from = fmt.Sprintf("%s to %s", r.From, r.To)
	}
	if r.protocol() != inventory.ProtocolHTTP {
		return strings.TrimSuffix(from+" by "+string(r.protocol())+" for "+r.ServerName, " for ")
	}
	var headers []string
	for _, h := range r.Headers {
		headers = append(headers, fmt.Sprintf("%s: %q", h.Name, h.Value))
	}
	return fmt.Sprintf("%s: %s %s with %s", from, r.Method, r.Path, strings.Join(headers, ", "))
}

// String returns the mesh as YAML.
func (w State) String() string {
	var text strings.Builder
	for _, ref := range slices.SortedFunc(maps.Keys(w), compareRefs) {
		text.WriteString(document(ref, w[ref]))
	}
	return text.String()
}

// nulls removes empty fields.
var nulls = strings.NewReplacer(`"Matches":null,`, "", `,"Matches":null`, "", `,"Methods":null`, "", `,"Headers":null`, "", `"TargetName":"",`, "")

func document(ref entity.Ref, entry catalog.Entry) string {
	if entry == nil {
		return fmt.Sprintf("# %s %s is removed\n", ref.Kind, ref.Name)
	}
	out, err := json.Marshal(entry)
	if err != nil {
		return fmt.Sprintf("# %s %s cannot be printed: %v\n", ref.Kind, ref.Name, err)
	}
	// JSON is YAML, and one line for each object is easy to read.
	return fmt.Sprintf("- %s: %s\n", ref.Kind, nulls.Replace(string(out)))
}
