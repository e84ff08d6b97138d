// Package servingcert keeps the certificate with which all replicas of the operator serve their metrics.
//
// In: the Secret that they share, and the time. Out: the certificate that a replica serves, and the authorities with which its clients verify all
// replicas. Each replica creates or renews the Secret when it finds that necessary; the API server decides who does.
package servingcert
