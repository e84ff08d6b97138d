// Package initconfig is the contract between the injector, which writes the arguments of osm-init into a pod, and
// osm-init, which reads them when the pod starts.
//
// A Document flows in and its one-line JSON flows out, and back. A pod may be started again long after it was admitted,
// so a document of an older version must stay readable.
package initconfig
