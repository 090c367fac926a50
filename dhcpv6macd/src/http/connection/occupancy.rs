//! How many are there, in all and of each address.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The places of a server, or of several.
#[derive(Clone, Debug)]
pub struct Occupancy(Arc<Places>);

#[derive(Debug)]
struct Places {
    taken: Mutex<Taken>,
    max: usize,
    max_of_address: usize,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    of_address: HashMap<IpAddr, usize>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// All are taken.
    Full,
    /// This address has as many as one may have.
    FullForAddress,
}

/// A place, until dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    address: Option<IpAddr>,
}

impl Occupancy {
    /// So many connections at a time, and so many of those of one client's address.
    #[must_use]
    pub fn new(max: usize, max_of_address: usize) -> Self {
        Self(Arc::new(Places { taken: Mutex::default(), max, max_of_address }))
    }

    /// A place for somebody at this address. Who has none is bounded with all others alone.
    pub(super) fn enter(&self, address: Option<IpAddr>) -> Result<Place, Refused> {
        let mut taken = self.0.taken();
        if taken.all >= self.0.max {
            return Err(Refused::Full);
        }
        if let Some(address) = address {
            let of_address = taken.of_address.entry(address).or_default();
            if *of_address >= self.0.max_of_address {
                return Err(Refused::FullForAddress);
            }
            *of_address += 1;
        }
        taken.all += 1;
        Ok(Place { places: Arc::clone(&self.0), address })
    }
}

impl Places {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all -= 1;
        let Some(address) = self.address else { return };
        if let Some(of_address) = taken.of_address.get_mut(&address) {
            *of_address -= 1;
            if *of_address == 0 {
                taken.of_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Option<IpAddr> = Some(IpAddr::V6(std::net::Ipv6Addr::LOCALHOST));

    #[test]
    fn an_address_has_so_many_places_and_all_together_have_some_more() {
        let occupancy = Occupancy::new(3, 2);
        let [first, _second] = [(); 2].map(|()| occupancy.enter(ONE).unwrap());
        assert_eq!(occupancy.enter(ONE).unwrap_err(), Refused::FullForAddress);
        let _third = occupancy.enter(None).unwrap();
        assert_eq!(occupancy.enter(None).unwrap_err(), Refused::Full);
        drop(first);
        assert!(occupancy.enter(ONE).is_ok());
    }

    #[test]
    fn who_has_left_is_forgotten() {
        let occupancy = Occupancy::new(1, 1);
        drop(occupancy.enter(ONE).unwrap());
        assert!(occupancy.0.taken().of_address.is_empty());
    }
}
