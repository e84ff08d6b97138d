package rollout

import (
	"fmt"
	"time"
)

// soakGate is the name of the gate that passes after all others have passed for the soak time.
const soakGate = "Soaked"

func replicasReady(o Observation, _ Bounds) Verdict {
	v := Verdict{Gate: "ReplicasReady", Message: fmt.Sprintf("%d of %d controllers and %d of %d injectors are ready",
		o.Controller.Ready, o.Controller.Desired, o.Injector.Ready, o.Injector.Desired)}
	if !o.Controller.allReady() || !o.Injector.allReady() {
		v.State = Waiting
	}
	return v
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

func proxiesConnected(o Observation, _ Bounds) Verdict {
	v := Verdict{Gate: "ProxiesConnected"}
	if o.Proxies == nil {
		v.State, v.Message = Waiting, "the control plane does not report which sidecars are connected"
		return v
	}
	v.Message = fmt.Sprintf("%d of %d sidecars are connected", o.Proxies.Connected, o.Proxies.Live)
	if o.Proxies.Connected < o.Proxies.Live {
		v.State = Waiting
	}
	return v
}

func configurationAccepted(o Observation, b Bounds) Verdict {
	v := Verdict{Gate: "ConfigurationAccepted"}
	switch {
	case o.Proxies == nil:
		v.State, v.Message = Waiting, "the control plane does not report which configuration sidecars reject"
	case o.Proxies.Rejected > b.MaxRejected:
		v.State = Failed
		v.Message = fmt.Sprintf("%d sidecars reject their configuration, more than %d: %s", o.Proxies.Rejected, b.MaxRejected, o.Proxies.Example)
	default:
		v.Message = fmt.Sprintf("%d sidecars reject their configuration", o.Proxies.Rejected)
	}
	return v
}

func certificatesValid(o Observation, _ Bounds) Verdict {
	v := Verdict{Gate: "CertificatesValid", Message: "the certificates of all sidecars are valid"}
	switch {
	case o.CertificatesUntil == nil:
		v.State, v.Message = Waiting, "the control plane does not report when certificates expire"
	case !o.CertificatesUntil.IsZero() && !o.CertificatesUntil.After(o.Now):
		v.State, v.Message = Failed, fmt.Sprintf("the certificate of a sidecar expired at %s", o.CertificatesUntil.Format(time.RFC3339))
	}
	return v
}

// errorRate compares the error rate with the baseline. A missing baseline counts as 0, which is the strictest comparison.
func errorRate(o Observation, b Bounds) Verdict {
	v := Verdict{Gate: "ErrorRate"}
	if o.Requests == nil {
		v.State, v.Message = Waiting, "the load reports of the sidecars cannot be read"
		return v
	}
	baseline := 0.0
	if o.Baseline != nil {
		baseline = *o.Baseline
	}
	v.Message = fmt.Sprintf("%.2f%% of requests fail (%d of %d in the last minute), %.2f%% failed before the step",
		100*o.Requests.ErrorRate(), o.Requests.Failed, o.Requests.Issued, 100*baseline)
	if o.Requests.exceeds(baseline + b.MaxErrorRateIncrease) {
		v.State = Failed
		v.Message += fmt.Sprintf(", an increase of more than %.2f percentage points", 100*b.MaxErrorRateIncrease)
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
