// Package verdict checks that sidecars enforce the decisions of the policy engine before, during and after changes.
//
// Its input is random meshes, edits and requests, drawn by rapid. Requests go to Services and to servers outside the mesh, and come
// from clients outside the mesh. A real control plane serves real Envoys in network namespaces with real redirection. About 200
// requests a second are compared with package authz for the mesh before and after each edit, and package authz with package
// reference, and with the answers of osm explain. A failure prints a reduced mesh as YAML and the request. It requires root, the ip program, ENVOY_BIN,
// EARLIER_ENVOY_BIN and OLDEST_ENVOY_BIN.
//
// TestLimits measures the effect of Retry and UpstreamTrafficSetting on real traffic in the same networks. It counts what clients and applications
// receive. Its results do not depend on the speed of the machine: intervals and timeouts are much longer than a test.
package verdict
