"""Handing jobs to workers: `serial` and `ray` behind one seam."""
