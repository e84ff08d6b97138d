package rollout

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"
)

// soakGate is the name of the gate that passes after all others have passed for the soak time.
const soakGate = "Soaked"

func replicasReady(o Observation, _ Bounds) Verdict {
	v := Verdict{Gate: "ReplicasReady", Message: fmt.Sprintf("%d of %d controllers and %d of %d injectors are ready",
		o.Controller.Ready, o.Controller.Desired, o.Injector.Ready, o.Injector.Desired)}
	if !o.Controller.allReady() || !o.Injector.allReady() {
		v.State = Waiting
		if earlier := o.earlier(); earlier != "" {
			v.Message = fmt.Sprintf("%d of %d new controllers and %d of %d new injectors are ready; %s still run, and serve the mesh",
				o.Controller.Ready, o.Controller.Desired, o.Injector.Ready, o.Injector.Desired, earlier)
		}
	}
	return v
}

// earlier describes the ready controllers of earlier versions, such as "3 controllers of version v0.4.0"; empty without any.
func (o Observation) earlier() string {
	var parts []string
	for _, version := range slices.Sorted(maps.Keys(o.Earlier)) {
		noun := "controllers"
		if o.Earlier[version] == 1 {
			noun = "controller"
		}
		parts = append(parts, fmt.Sprintf("%d %s of version %s", o.Earlier[version], noun, version))
	}
	return strings.Join(parts, " and ")
}

// allReady reports whether every desired pod is ready. It is false when no pod is desired.
func (r Replicas) allReady() bool { return r.Desired > 0 && r.Ready >= r.Desired }

func controlPlaneRestarts(o Observation, b Bounds) Verdict {
	v := Verdict{Gate: "ControlPlaneRestarts"}
	switch {
	case o.Restarts == nil:
		v.State, v.Message = Waiting, "the pods of the control plane cannot be read"
	case *o.Restarts > b.MaxRestarts:
		v.State, v.Message = Failed, fmt.Sprintf("containers of the control plane were restarted %d times, more than %d", *o.Restarts, b.MaxRestarts)
	default:
		v.Message = fmt.Sprintf("containers of the control plane were restarted %d times", *o.Restarts)
	}
	return v
}

func proxiesConnected(o Observation, b Bounds) Verdict {
	v := Verdict{Gate: "ProxiesConnected"}
	if o.Proxies == nil {
		v.State, v.Message = Waiting, "the control plane does not report which sidecars are connected"
		if earlier := o.earlier(); earlier != "" {
			v.Message = "no new controller serves sidecars yet; they stay connected to " + earlier
		}
		return v
	}
	connected := o.Proxies.Connected
	j := connected.evaluate(b.MaxDisconnected)
	if j.exceeds {
		v.State = Waiting
	}
	counted := connected.without(j.excused).pods()
	v.Message = fmt.Sprintf("%d of %d sidecars are connected", counted-len(j.failed), counted)
	if len(j.failed) > 0 {
		v.Message += ", not those of " + namePods(j.failed, ", ")
	}
	v.Message += j.excuse(connected[j.excused].Pods, "are not")
	return v
}

func configurationAccepted(o Observation, b Bounds) Verdict {
	v := Verdict{Gate: "ConfigurationAccepted"}
	if o.Proxies == nil {
		v.State, v.Message = Waiting, "the control plane does not report which configuration sidecars reject"
		return v
	}
	j := o.Proxies.Accepted.evaluate(intstr.FromInt(b.MaxRejected))
	v.Message = fmt.Sprintf("%d sidecars reject their configuration", len(j.failed))
	if j.exceeds {
		v.State = Failed
		v.Message += fmt.Sprintf(", more than %d: %s", b.MaxRejected, j.failed[0])
	}
	v.Message += j.excuse(o.Proxies.Accepted[j.excused].Pods, "reject it")
	return v
}

func certificatesValid(o Observation, _ Bounds) Verdict {
	v := Verdict{Gate: "CertificatesValid", Message: "the certificates of all sidecars are valid"}
	if o.CertificatesUntil == nil {
		v.State, v.Message = Waiting, "the control plane does not report when certificates expire"
		return v
	}
	census := Census{}
	for namespace, until := range o.CertificatesUntil {
		tally := Tally{Pods: 1, Sound: until.After(o.Now)}
		if !tally.Sound {
			tally.Failed = []string{fmt.Sprintf("the certificate of a sidecar in %s expired at %s", namespace, until.Format(time.RFC3339))}
		}
		census[namespace] = tally
	}
	j := census.evaluate(intstr.FromInt(0))
	if j.exceeds {
		v.State, v.Message = Failed, namePods(j.failed, "; ")
	}
	v.Message += j.excuse(census[j.excused].Pods, "have expired")
	return v
}

// excuse is the end of a message about a namespace that does not count.
func (j outcome) excuse(pods int, verb string) string {
	if j.excused == "" {
		return ""
	}
	return fmt.Sprintf(" (%d sidecars in the namespace %s do not count alone, of which these %s: %s)", pods, j.excused, verb, namePods(j.uncounted, "; "))
}

// errorRate compares the requests that the revision concerns with others, and with those before.
func errorRate(o Observation, b Bounds) Verdict {
	v := Verdict{Gate: "ErrorRate"}
	if o.Flows == nil {
		v.State, v.Message = Waiting, "too few sidecars report their requests"
		return v
	}
	c := CompareFlows(o.Flows, o.Revision, o.Baseline, b.MaxErrorRateIncrease)
	v.Message = fmt.Sprintf("%.2f%% of requests fail (%d of %d in the last minute)", 100*c.Requests.ErrorRate(), c.Requests.Failed, c.Requests.Issued)
	switch {
	case !c.Compared:
		v.Message += ", without requests to compare with"
	case o.Baseline != nil:
		v.Message += fmt.Sprintf(", %.2f%% failed before the step", 100*c.Expected)
	}
	if c.Excused != "" {
		v.Message += fmt.Sprintf("; failures of the namespace %s do not count alone", c.Excused)
	}
	if c.Exceeds {
		v.State = Failed
		v.Message += fmt.Sprintf(", an increase of more than %.2f percentage points", 100*b.MaxErrorRateIncrease)
		if c.Example != "" {
			v.Message += ", " + c.Example
		}
	}
	return v
}

// prometheusErrorRate compares the error rate that Prometheus reports with its baseline.
func prometheusErrorRate(o Observation, b Bounds) Verdict {
	v := Verdict{Gate: "PrometheusErrorRate", Message: "no Prometheus is configured"}
	p := o.Prometheus
	switch {
	case p == nil:
		return v
	case p.ErrorRate == nil && p.Optional:
		v.Message = fmt.Sprintf("not evaluated: the Prometheus at %s does not report the error rate: %s", p.Address, p.Reason)
		return v
	case p.ErrorRate == nil:
		v.State = Waiting
		v.Message = fmt.Sprintf("the Prometheus at %s does not report the error rate: %s; correct spec.upgrade.gates.prometheus, or remove it", p.Address, p.Reason)
		return v
	}
	v.Message = fmt.Sprintf("the Prometheus at %s reports that %.2f%% of requests fail, %.2f%% failed before the step", p.Address, 100**p.ErrorRate, 100*p.Baseline)
	if *p.ErrorRate > p.Baseline+b.MaxErrorRateIncrease {
		v.State = Failed
		v.Message += fmt.Sprintf(", an increase of more than %.2f percentage points", 100*b.MaxErrorRateIncrease)
	}
	return v
}

func soaked(o Observation, b Bounds) Verdict {
	v := Verdict{Gate: soakGate, Message: fmt.Sprintf("all gates have passed for %s", b.Soak)}
	if o.HealthySince.IsZero() || o.HealthySince.Add(b.Soak).After(o.Now) {
		v.State, v.Message = Waiting, fmt.Sprintf("all gates must pass for %s", b.Soak)
	}
	return v
}

// Observation is the input of the gates. A nil pointer, slice or map is a value that could not be observed. Except for Baseline,
// the gate of it does not pass.
type Observation struct {
	Now time.Time
	// UnhealthySince is the start of the step, or the later time at which a gate stopped passing. It is Now when a gate is first observed
	// not to pass. The timeout counts from it.
	UnhealthySince time.Time
	// Controller and Injector count the pods of the evaluated revision.
	Controller, Injector Replicas
	// Earlier counts the ready controllers of earlier versions that still serve sidecars, by version.
	Earlier map[string]int
	// Restarts is the number of container restarts in the pods of the control plane since the step began.
	Restarts *int
	// Proxies are the sidecars that the revision serves.
	Proxies *Proxies
	// Handovers are the sidecars that are upgraded in place for the revision.
	Handovers Handovers
	// CertificatesUntil is when the first certificate of a sidecar expires, by namespace.
	CertificatesUntil map[string]time.Time
	// Revision is the evaluated revision.
	Revision string
	// Flows are the requests of the last minute; nil if too few sidecars report them. Baseline is the error rate before the upgrade.
	Flows    []Flow
	Baseline *float64
	// Prometheus is the error rate that Prometheus reports; nil when none is configured.
	Prometheus *Prometheus
	// HealthySince is when all other gates first passed in this step. It is later if a pod of the control plane or a restarted workload became
	// ready afterwards, and zero before.
	HealthySince time.Time
}

// Replicas counts the desired and the ready pods of a Deployment.
type Replicas struct {
	Desired, Ready int
}

// Proxies are the sidecars that gates evaluate.
type Proxies struct {
	// Connected has the sidecars that should be connected; the ones that are not fail.
	Connected Census
	// Accepted has the connected sidecars; the ones that reject the newest configuration fail, each with the error of Envoy.
	Accepted Census
}

// Prometheus is the error rate that a Prometheus server reports.
type Prometheus struct {
	Address string
	// Optional is true for a server that only spec.observability names. Without its answer the gate passes.
	Optional bool
	// ErrorRate is the current share of failed requests; nil when it is unknown, for the Reason.
	ErrorRate *float64
	Reason    string
	// Baseline is the error rate before the step; 0 without data.
	Baseline float64
}

// Bounds are the thresholds that a Mesh sets for its gates.
type Bounds struct {
	// Soak is how long all other gates must pass before the next step.
	Soak time.Duration
	// Timeout is how long the gates may take to pass.
	Timeout time.Duration
	// MaxErrorRateIncrease is the tolerated increase of the error rate; 0.01 is one percentage point.
	MaxErrorRateIncrease float64
	// MaxRejected is the tolerated number of sidecars that reject their configuration.
	MaxRejected int
	// MaxDisconnected is the tolerated number of missing sidecars, or their share of the sidecars that should be connected, rounded down.
	MaxDisconnected intstr.IntOrString
	// MaxRestarts is the tolerated number of container restarts of the control plane in a step.
	MaxRestarts int
}

// State is the result of a gate.
type State int

// The states of a gate, from best to worst.
const (
	// Passed: the next step may begin.
	Passed State = iota
	// Waiting: the gate does not pass yet.
	Waiting
	// Failed: the upgrade fails.
	Failed
)

// Verdict is the result of a gate with an explanation.
type Verdict struct {
	// Gate is the gate's name, such as ReplicasReady.
	Gate  string
	State State
	// Message is a sentence with the observed values.
	Message string
}

// Gate evaluates an observation by one rule.
type Gate func(Observation, Bounds) Verdict

// Gates lists the gates of every step, in the order in which messages show them.
func Gates() []Gate {
	return []Gate{
		replicasReady, controlPlaneRestarts, proxiesConnected, configurationAccepted, sidecarsTakenOver, certificatesValid,
		errorRate, prometheusErrorRate, soaked,
	}
}

// Evaluate runs all gates. A gate that waits longer than the timeout fails, except the soak gate.
func Evaluate(o Observation, b Bounds) []Verdict {
	timedOut := b.Timeout > 0 && o.Now.Sub(o.UnhealthySince) > b.Timeout
	var verdicts []Verdict
	for _, gate := range Gates() {
		v := gate(o, b)
		if v.State == Waiting && timedOut && v.Gate != soakGate {
			v.State = Failed
			v.Message += fmt.Sprintf(", for longer than %s", b.Timeout)
		}
		verdicts = append(verdicts, v)
	}
	return verdicts
}

// Worst is the state of the worst verdict. Without verdicts it is Waiting.
func Worst(verdicts []Verdict) State {
	if len(verdicts) == 0 {
		return Waiting
	}
	worst := Passed
	for _, v := range verdicts {
		worst = max(worst, v.State)
	}
	return worst
}

// PassedExceptSoak reports whether every gate but the soak gate has passed.
func PassedExceptSoak(verdicts []Verdict) bool {
	return len(verdicts) > 0 && !slices.ContainsFunc(verdicts, func(v Verdict) bool { return v.State != Passed && v.Gate != soakGate })
}

// Explain joins the messages of the verdicts with the given state.
func Explain(verdicts []Verdict, state State) string {
	var messages []string
	for _, v := range verdicts {
		if v.State == state {
			messages = append(messages, v.Gate+": "+v.Message)
		}
	}
	return strings.Join(messages, "; ")
}

// Requests counts requests.
type Requests struct {
	Issued, Failed uint64
}

// ErrorRate is the share of failed requests, 0 without requests.
func (r Requests) ErrorRate() float64 {
	if r.Issued == 0 {
		return 0
	}
	return float64(r.Failed) / float64(r.Issued)
}

// significance is the probability with which chance alone may look like an increase: that of three standard deviations.
const significance = 0.00135

// exceeds reports whether the error rate is above the tolerated rate with statistical significance: if each request failed with the
// tolerated probability, so many failures would be less likely than significance. One failure among three requests is not significant for a
// tolerated rate of 1%; two among four are.
func (r Requests) exceeds(tolerated float64) bool {
	if r.ErrorRate() <= tolerated {
		return false
	}
	return upperTail(r.Issued, r.Failed, tolerated) < significance
}

// upperTail is the probability of at least k failures in n requests that fail with probability p each.
func upperTail(n, k uint64, p float64) float64 {
	const precision = 1e-9
	all, failed := float64(n), float64(k)
	term := math.Exp(logFactorial(all) - logFactorial(failed) - logFactorial(all-failed) + failed*math.Log(p) + (all-failed)*math.Log1p(-p))
	// Above the mean, terms shrink faster than a geometric series, so few of them matter. The one after the last is 0.
	sum := 0.0
	for ; term > sum*precision; failed++ {
		sum += term
		term *= (all - failed) / (failed + 1) * p / (1 - p)
	}
	return sum
}

func logFactorial(n float64) float64 {
	value, _ := math.Lgamma(n + 1)
	return value
}
