package certificate

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// An issuer fails for all workloads of one namespace, for example because a role of it does not allow their names, which looks as if the issuer was
// away. They come first by name. The others are renewed all the same, also after the issuer was away for all.
func TestFailingWorkloadsDoNotDelayOthers(t *testing.T) {
	for name, outage := range map[string]time.Duration{"from the start": 0, "after an outage": 4 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakeIssuer{}
				m := externalManager(t, f)
				defer runManager(t, m)()
				var all []identity.ServiceAccount
				for i := range 2 * requestBatch {
					all = append(all, identity.ServiceAccount{Namespace: "failing", Name: fmt.Sprint(i)}, identity.ServiceAccount{Namespace: "shop", Name: fmt.Sprint(i)})
				}
				use := func() {
					var group sync.WaitGroup
					for _, sa := range all {
						group.Go(func() { _, _ = m.Certificate(sa) })
					}
					group.Wait()
				}
				use()
				use()
				f.mu.Lock()
				f.reject = "failing"
				f.mu.Unlock()
				if outage > 0 {
					f.fail(errors.New("sealed"))
				}
				time.Sleep(40*time.Minute + outage)
				f.fail(nil)
				time.Sleep(10 * time.Minute)
				for _, sa := range all {
					leaf, err := m.Certificate(sa)
					if err != nil {
						t.Fatal(err)
					}
					if renewed := time.Until(leaf.NotAfter) > 30*time.Minute; renewed != (sa.Namespace == "shop") {
						t.Errorf("the certificate of %s is valid for %s", sa, time.Until(leaf.NotAfter))
					}
				}
			})
		})
	}
}
