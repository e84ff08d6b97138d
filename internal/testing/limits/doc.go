// Package limits measures the effect of Retry and UpstreamTrafficSetting on real traffic.
//
// Its input is policies as catalog entries. The real control plane configures real sidecars with them, and the tests count what
// clients and applications receive. Results do not depend on the speed of the machine: intervals and timeouts are much longer
// than a test.
package limits
