package server

import (
	"log/slog"
	"net/http"
	"time"
)

// Bounds on what a connection may take.
const (
	readHeaderTimeout = 5 * time.Second
	// readTimeout covers a slow body too.
	readTimeout    = 30 * time.Second
	idleTimeout    = 120 * time.Second
	maxHeaderBytes = 16 << 10
	// writeTime is what a reply may take once the run is over.
	writeTime = 30 * time.Second
	// closeTime is what a drain takes beyond the longest run.
	closeTime = 5 * time.Second
)

// longestRun is the longest that a request may run.
func (s *Server) longestRun() time.Duration {
	return time.Duration(s.options.Document.Limits.RequestTimeoutSeconds) * time.Second
}

func (s *Server) newHTTPServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		// Counted from the end of the header: reading, running and writing.
		WriteTimeout:   readTimeout + s.longestRun() + writeTime,
		IdleTimeout:    idleTimeout,
		MaxHeaderBytes: maxHeaderBytes,
		// What callers do wrong on a connection is not worth more.
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}
