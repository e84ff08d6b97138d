package scope

import "time"

// maxCrossNamespaceChecks is how many active health checks a sidecar sends in a second, at most, for endpoints of one namespace other than its own. Envoy
// checks on its main thread, and their number is that of the ports multiplied by the pods.
const maxCrossNamespaceChecks = 50

// spreadChecks makes the intervals of health checks longer where one namespace would receive too many from a client in another one. Clients of
// its own have the intervals of the setting.
func (o outboundBuilder) spreadChecks(clusters []Cluster) {
	type load struct{ endpoints, perHour int }
	loads := map[string]load{}
	for i := range clusters {
		c := &clusters[i]
		if c.Service.Namespace == o.client.Namespace || c.Upstream == nil || c.Upstream.HealthCheck == nil {
			continue
		}
		l, pods := loads[c.Service.Namespace], o.view.PodsUpTo(c.Service)
		l.endpoints += pods
		l.perHour += pods * int(time.Hour/c.Upstream.HealthCheck.EffectiveInterval())
		loads[c.Service.Namespace] = l
	}
	if len(loads) == 0 {
		return // nearly always
	}
	for i := range clusters {
		c := &clusters[i]
		if l := loads[c.Service.Namespace]; l.perHour > maxCrossNamespaceChecks*int(time.Hour/time.Second) {
			c.Upstream = c.Upstream.checkedEvery(time.Duration(l.endpoints) * time.Second / maxCrossNamespaceChecks)
		}
	}
}

// checkedEvery returns the settings with health checks at the interval, or at their own if it is longer.
func (u *Upstream) checkedEvery(interval time.Duration) *Upstream {
	if u == nil || u.HealthCheck == nil || u.HealthCheck.EffectiveInterval() >= interval {
		return u
	}
	changed, check := *u, *u.HealthCheck
	check.Interval = interval
	changed.HealthCheck = &check
	return &changed
}
