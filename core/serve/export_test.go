package serve

// Break closes the first listener behind the server's back.
func Break(s *Server) { s.fronts[0].listener.Close() }
