// Package fakepods serves the pod endpoints of an API server without nodes.
//
// Its input is requests of clients. It forwards requests for the API server, and answers requests for ports of pods
// (port-forward or the pod proxy) with the file <folder>/<namespace>/<pod>/<port>/<path>. A port without a folder is closed. Logs of
// containers are the files <folder>/<namespace>/<pod>/logs/<container>; without one, the API server answers.
package fakepods
